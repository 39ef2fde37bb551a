//! Just enough of Thrift's compact protocol to look at what a Parquet file says about itself before the
//! Parquet library believes it.
//! Source: Apache Thrift, "Thrift Compact protocol encoding"; Apache Parquet, `parquet.thrift`.

/// How deep structures may be nested; Parquet's own reach six.
const MOST_DEPTH: u8 = 16;

/// Elements of a list, at most. The lists of a plan's footer have nine columns' worth of elements.
const MOST_ELEMENTS: u64 = 1024;

/// A field's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its value is in the type; `u8` is the byte it takes as an element of a list.
    Bool,
    /// One byte.
    Byte,
    /// A number of 16, 32 or 64 bits, of variable length.
    Number,
    /// Eight bytes.
    Double,
    /// Bytes with their length.
    Binary,
    /// Elements of one type; sets are written alike.
    List,
    /// Fields.
    Struct,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 | 2 => Self::Bool,
            3 => Self::Byte,
            4..=6 => Self::Number,
            7 => Self::Double,
            8 => Self::Binary,
            9 | 10 => Self::List,
            12 => Self::Struct,
            _ => return None, // maps, which Parquet has none of
        })
    }
}

/// A field of a structure, or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Its id and type.
    Field(i16, Kind),
    /// There are no more.
    End,
}

/// Reads from the front of `bytes`. Whatever is malformed is `None`.
pub(super) struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Compact<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// What comes next in a structure whose field before was `last`, 0 at its beginning.
    pub(super) fn field(&mut self, last: i16) -> Option<Next> {
        let byte = self.byte()?;
        let kind = byte & 0xf;
        if kind == 0 {
            return Some(Next::End);
        }
        let id = match byte >> 4 {
            0 => i16::try_from(self.number()?).ok()?,
            delta => last.checked_add(i16::from(delta))?,
        };
        Some(Next::Field(id, Kind::of(kind)?))
    }

    /// A signed number.
    pub(super) fn number(&mut self) -> Option<i64> {
        let unsigned = self.unsigned()?;
        Some((unsigned >> 1).cast_signed() ^ -(unsigned & 1).cast_signed())
    }

    /// A list's element type and length.
    pub(super) fn list(&mut self) -> Option<(Kind, u64)> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some((Kind::Byte, 0)); // as some writers write an empty one
        }
        let length = match byte >> 4 {
            15 => self.unsigned()?,
            length => u64::from(length),
        };
        Some((Kind::of(byte & 0xf)?, length))
    }

    /// Passes over a value of a field.
    pub(super) fn skip(&mut self, kind: Kind) -> Option<()> {
        self.skip_nested(kind, MOST_DEPTH)
    }

    fn skip_nested(&mut self, kind: Kind, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            Kind::Bool => {}
            Kind::Byte => self.forward(1)?,
            Kind::Number => drop(self.unsigned()?),
            Kind::Double => self.forward(8)?,
            Kind::Binary => {
                let length = self.unsigned()?;
                self.forward(length)?;
            }
            Kind::List => {
                let (kind, length) = self.list()?;
                if length > MOST_ELEMENTS {
                    return None;
                }
                let kind = if kind == Kind::Bool { Kind::Byte } else { kind };
                for _ in 0..length {
                    self.skip_nested(kind, depth)?;
                }
            }
            Kind::Struct => {
                let mut last = 0;
                while let Next::Field(id, kind) = self.field(last)? {
                    self.skip_nested(kind, depth)?;
                    last = id;
                }
            }
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn forward(&mut self, bytes: u64) -> Option<()> {
        let left = self.bytes.len() - self.at;
        let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= left)?;
        self.at += bytes;
        Some(())
    }
}
