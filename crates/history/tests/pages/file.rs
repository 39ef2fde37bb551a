//! A run of one row group, of pages that are put together one by one.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::manifest::Run;
use bridge_history::plan::position::Position;
use bridge_history::plan::store::{PlanError, PlanStore};
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataWriter,
    RowGroupMetaData,
};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;

use crate::page::{Kind, Page, Style, Values};

/// The columns of a plan, in the order of its schema.
pub(crate) const COLUMNS: [(&str, &str); 9] = [
    ("int64", "effective_time (timestamp(millis, true))"),
    ("binary", "key (utf8)"),
    ("int64", "rank"),
    ("binary", "version_id (utf8)"),
    ("int64", "last_modified (timestamp(millis, true))"),
    ("boolean", "is_delete_marker"),
    ("boolean", "is_latest"),
    ("int64", "size"),
    ("binary", "etag (utf8)"),
];

/// A file of which the zeros between what is written are stored by nobody.
#[derive(Default)]
pub(crate) struct Sparse {
    parts: Vec<(u64, Vec<u8>)>,
    length: u64,
    /// The largest part that was asked for.
    pub(crate) most_asked: AtomicU64,
}

impl Sparse {
    fn write(&mut self, bytes: &[u8]) {
        self.parts.push((self.length, bytes.to_vec()));
        self.length += bytes.len() as u64;
    }
}

#[async_trait]
impl PlanStore for Sparse {
    async fn put(&self, _: &str, _: Bytes) -> Result<(), PlanError> {
        unreachable!("only read")
    }

    async fn get(&self, _: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        let Range { start, end } = range.unwrap();
        self.most_asked.fetch_max(end - start, Ordering::Relaxed);
        let at = |place: u64| usize::try_from(place).unwrap();
        let mut bytes = vec![0; at(end - start)];
        for (begin, part) in &self.parts {
            let from = start.max(*begin);
            let to = end.min(begin + part.len() as u64);
            if from < to {
                let part = &part[at(from - begin)..at(to - begin)];
                bytes[at(from - start)..at(to - start)].copy_from_slice(part);
            }
        }
        // Others ask at the same time.
        tokio::task::yield_now().await;
        Ok(bytes.into())
    }
}

/// A column of a file.
pub(crate) struct Column {
    pub(crate) values: Values,
    pub(crate) style: Style,
    pub(crate) has_dictionary: bool,
    pub(crate) pages: Vec<Page>,
}

impl Column {
    /// Without pages.
    pub(crate) fn new(values: Values, style: Style) -> Self {
        Self {
            values,
            style,
            has_dictionary: false,
            pages: Vec::new(),
        }
    }

    pub(crate) fn dictionary(&mut self, filler: usize) {
        self.has_dictionary = true;
        self.pages.push(self.values.dictionary(self.style, filler));
    }

    pub(crate) fn page(&mut self, rows: Range<usize>, kind: Kind) {
        let page = self.values.page(rows, kind, self.style);
        self.pages.push(page);
    }
}

/// A row's place.
pub(crate) fn place(time: usize, key: &str) -> Position {
    Position {
        effective_time: Timestamp(i64::try_from(time).unwrap()),
        key: key.to_owned(),
        rank: 0,
    }
}

/// A run of `columns`, from the first row's place to the last's; `beside` stands in its footer.
pub(crate) fn run(
    columns: Vec<Column>,
    [first, last]: [Position; 2],
    beside: String,
) -> (Arc<Sparse>, Run) {
    let rows = i64::try_from(columns[0].values.len()).unwrap();
    let schema = COLUMNS.iter().zip(&columns).map(|((kind, name), column)| {
        let optional = ["required", "optional"][usize::from(column.style.is_nullable)];
        format!("{optional} {kind} {name};")
    });
    let schema = format!("message m {{ {} }}", schema.collect::<String>());
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let schema = Arc::new(SchemaDescriptor::new(schema));
    let mut file = Sparse::default();
    file.write(b"PAR1");
    let mut about = Vec::new();
    for (column, descriptor) in columns.into_iter().zip(schema.columns()) {
        let begin = file.length;
        for page in column.pages {
            file.write(&page.bytes);
            file.length += page.zeros as u64;
        }
        let bytes = i64::try_from(file.length - begin).unwrap();
        let begin = i64::try_from(begin).unwrap();
        let compression = [Compression::UNCOMPRESSED, Compression::SNAPPY];
        let column = ColumnChunkMetaData::builder(descriptor.clone())
            .set_compression(compression[usize::from(column.style.is_packed)])
            .set_num_values(rows)
            .set_total_compressed_size(bytes)
            .set_total_uncompressed_size(bytes)
            .set_data_page_offset(begin)
            .set_dictionary_page_offset(column.has_dictionary.then_some(begin));
        about.push(column.build().unwrap());
    }
    let group = RowGroupMetaData::builder(Arc::clone(&schema));
    let group = group.set_num_rows(rows).set_column_metadata(about);
    let beside = vec![KeyValue::new("beside".to_owned(), beside)];
    let all = FileMetaData::new(1, rows, None, Some(beside), schema, None);
    let metadata = ParquetMetaData::new(all, vec![group.build().unwrap()]);
    let mut footer = Vec::new();
    let writer = ParquetMetaDataWriter::new(&mut footer, &metadata);
    writer.finish().unwrap();
    file.write(&footer);
    let run = Run {
        name: "run".to_owned(),
        rows: rows.cast_unsigned(),
        bytes: file.length,
        footer_crc32: None,
        first,
        last,
        after: None,
    };
    (Arc::new(file), run)
}
