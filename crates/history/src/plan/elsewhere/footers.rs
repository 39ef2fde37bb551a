//! What a run says about itself, read from its footer before any row of it.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::ColumnDescriptor;

use crate::plan::manifest::Run;
use crate::plan::reader::footer::Footer;
use crate::plan::run::COLUMNS;
use crate::plan::store::{PlanError, PlanStore};

/// Footers asked for at the same time.
const AT_ONCE: usize = 32;

/// How many rows each row group has.
pub struct Groups(Vec<u64>);

impl Groups {
    /// Where a row is, for a person; rows are counted from 1, row groups from 0 as other tools do.
    #[must_use]
    pub fn place(&self, row: u64) -> String {
        let Self(groups) = self;
        let mut before = 0;
        for (number, rows) in groups.iter().enumerate() {
            if row <= before + rows {
                return format!("row {row} (row group {number})");
            }
            before += rows;
        }
        format!("row {row}")
    }
}

/// Reads the footer of a run and compares it with what the manifest says.
///
/// # Errors
/// [`PlanError`] when it cannot be read; what is wrong, and what to do.
pub async fn inspect(store: &dyn PlanStore, run: &Run) -> Result<Groups, PlanError> {
    let refused = |reason: String| PlanError::Refused {
        name: run.name.clone(),
        reason,
    };
    let metadata = Footer::read(store, run)
        .await?
        .metadata()
        .map_err(refused)?;
    check_columns(&metadata).map_err(refused)?;
    let groups = metadata.row_groups().iter();
    let groups: Vec<u64> = groups
        .map(|group| u64::try_from(group.num_rows()).unwrap_or(0))
        .collect();
    let rows = groups
        .iter()
        .fold(0, |sum: u64, rows| sum.saturating_add(*rows));
    if rows != run.rows {
        return Err(refused(format!(
            "it has {rows} rows, and the manifest says {}",
            run.rows
        )));
    }
    Ok(Groups(groups))
}

/// Inspects all of these runs.
///
/// # Errors
/// [`PlanError`] of the first that is found to be wrong.
pub async fn inspect_all(store: &Arc<dyn PlanStore>, runs: &[&Run]) -> Result<(), PlanError> {
    let inspecting = runs.iter().map(|run| {
        let (store, run) = (Arc::clone(store), (*run).clone());
        async move { inspect(&*store, &run).await.map(drop) }
    });
    let inspecting: Vec<_> = inspecting.collect();
    let done = stream::iter(inspecting).buffer_unordered(AT_ONCE);
    done.try_collect::<Vec<()>>().await.map(drop)
}

/// # Errors
/// The first column that is not as a plan's, and how to write it.
fn check_columns(metadata: &ParquetMetaData) -> Result<(), String> {
    let found = metadata.file_metadata().schema_descr().columns();
    for (name, kind) in COLUMNS {
        let column = found.iter().find(|column| column.path().string() == name);
        let column =
            column.ok_or_else(|| format!("column {name} is missing: {}", write_these()))?;
        check_column(column, name, kind)?;
    }
    let names: Vec<_> = found.iter().map(|column| column.path().string()).collect();
    if names != COLUMNS.map(|(name, _)| name) {
        return Err(format!(
            "its columns are {}: {}",
            names.join(", "),
            write_these()
        ));
    }
    Ok(())
}

fn write_these() -> String {
    format!(
        "write these and no others, in this order: {}",
        COLUMNS.map(|(name, _)| name).join(", ")
    )
}

fn check_column(column: &ColumnDescriptor, name: &str, kind: PhysicalType) -> Result<(), String> {
    let wrong =
        |found: &str, how: &str| Err(format!("column {name} is {found}: write it as {how}"));
    let is_time = matches!(name, "effective_time" | "last_modified");
    let how = match kind {
        PhysicalType::INT64 if is_time => {
            "int64 timestamp of milliseconds in UTC (Spark: spark.sql.parquet.outputTimestampType=TIMESTAMP_MILLIS)"
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
    if !matches!(name, "size" | "etag") && column.max_def_level() > 0 {
        return wrong(
            "one that may be null",
            &format!("{how}, required (Spark and pyarrow: nullable=False)"),
        );
    }
    if matches!(name, "size" | "etag") && column.max_def_level() != 1 {
        return wrong("one that is never null", &format!("{how}, optional"));
    }
    Ok(())
}
