//! Which column of a file is which of a plan. They are found by name: whoever made the file may have put them in
//! another order, and may call those nullable that have no null.

use parquet::basic::{Compression, ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};

use crate::plan::run::COLUMNS;

/// The number of [`COLUMNS`].
pub(super) const COUNT: usize = COLUMNS.len();

/// A file's columns in the order of [`COLUMNS`].
#[derive(Clone)]
pub(in crate::plan) struct Columns {
    /// What the file says of each.
    pub(super) descriptors: [ColumnDescPtr; COUNT],
    /// Which of the file's columns each is.
    places: [usize; COUNT],
}

impl Columns {
    /// Finds a plan's columns, which are all that a file may have.
    ///
    /// # Errors
    /// The first column that is not as a plan's, and how to write it.
    pub(super) fn find(metadata: &ParquetMetaData) -> Result<Self, String> {
        let found = metadata.file_metadata().schema_descr().columns();
        let groups = metadata.row_groups().iter();
        if let Some(number) = groups
            .map(|group| group.columns().len())
            .position(|columns| columns != found.len())
        {
            return Err(format!("row group {number} has not the file's columns"));
        }
        let is_of_a_plan = |name: &str| COLUMNS.iter().any(|(known, _)| *known == name);
        let mut places = [0; COUNT];
        for (place, (name, kind)) in places.iter_mut().zip(COLUMNS) {
            let mut same = (0..found.len()).filter(|n| found[*n].path().string() == name);
            *place = same
                .next()
                .ok_or_else(|| format!("column {name} is missing: {}", write_these()))?;
            if same.next().is_some() {
                return Err(format!("column {name} is there twice: {}", write_these()));
            }
            check_column(&found[*place], name, kind)?;
            check_compression(metadata, *place, name)?;
        }
        let names = found.iter().map(|column| column.path().string());
        let more: Vec<_> = names.filter(|name| !is_of_a_plan(name)).collect();
        if !more.is_empty() {
            return Err(format!(
                "a plan has no column {}: {}",
                more.join(", "),
                write_these()
            ));
        }
        Ok(Self {
            descriptors: places.map(|place| found[place].clone()),
            places,
        })
    }

    /// What a row group says of them.
    pub(super) fn of<'a>(
        &self,
        group: &'a RowGroupMetaData,
    ) -> impl Iterator<Item = &'a ColumnChunkMetaData> {
        self.places.map(|place| &group.columns()[place]).into_iter()
    }
}

fn write_these() -> String {
    format!(
        "write these and no others, in any order: {}",
        COLUMNS.map(|(name, _)| name).join(", ")
    )
}

fn check_column(column: &ColumnDescriptor, name: &str, kind: PhysicalType) -> Result<(), String> {
    let wrong =
        |found: &str, how: &str| Err(format!("column {name} is {found}: write it as {how}"));
    let is_time = matches!(name, "effective_time" | "last_modified");
    let how = match kind {
        PhysicalType::INT64 if is_time => {
            "int64 timestamp of milliseconds in UTC (Spark: spark.sql.parquet.outputTimestampType=TIMESTAMP_MILLIS, \
             DuckDB: make_timestamp_ms(MS)::TIMESTAMP_MS)"
        }
        PhysicalType::INT64 => "int64 (signed)",
        PhysicalType::BOOLEAN => "boolean",
        _ => "UTF-8 text",
    };
    if column.max_rep_level() > 0 {
        return wrong("a list", how);
    }
    if column.physical_type() != kind {
        return wrong(&column.physical_type().to_string(), how);
    }
    let logical = column.logical_type_ref();
    let unit = match (logical, column.converted_type()) {
        (Some(LogicalType::Timestamp(time)), _) => Some(time.unit),
        (None, ConvertedType::TIMESTAMP_MICROS) => Some(TimeUnit::MICROS),
        (None, ConvertedType::TIMESTAMP_MILLIS) => Some(TimeUnit::MILLIS),
        _ => None,
    };
    if is_time && !matches!(unit, None | Some(TimeUnit::MILLIS)) {
        return wrong("a timestamp of another unit", how);
    }
    if !is_time && unit.is_some() {
        return wrong("a timestamp", how);
    }
    if matches!(logical, Some(LogicalType::Integer(number)) if !number.is_signed) {
        return wrong("unsigned", how);
    }
    if matches!(logical, Some(LogicalType::Decimal(_))) {
        return wrong("a decimal", how);
    }
    if matches!(name, "size" | "etag") && column.max_def_level() != 1 {
        return wrong("one that is never null", &format!("{how}, optional"));
    }
    Ok(())
}

fn check_compression(metadata: &ParquetMetaData, place: usize, name: &str) -> Result<(), String> {
    let groups = metadata.row_groups().iter();
    let mut codecs = groups.map(|group| group.column(place).compression());
    let other =
        codecs.find(|codec| !matches!(codec, Compression::UNCOMPRESSED | Compression::SNAPPY));
    other.map_or(Ok(()), |codec| {
        Err(format!(
            "column {name} is compressed by {codec}: write it with Snappy, or not compressed"
        ))
    })
}
