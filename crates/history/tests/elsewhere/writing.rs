//! The files of a plan, and its manifest.

use std::sync::Arc;

use bridge_core::timestamp::Timestamp;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

/// The contract's columns.
pub(crate) const COLUMNS: [&str; 9] = [
    "required int64 effective_time (timestamp(millis, true));",
    "required binary key (utf8);",
    "required int64 rank;",
    "required binary version_id (utf8);",
    "required int64 last_modified (timestamp(millis, true));",
    "required boolean is_delete_marker;",
    "required boolean is_latest;",
    "optional int64 size;",
    "optional binary etag (utf8);",
];

pub(crate) type Row = (i64, &'static str, i64);

pub(crate) const ROWS: [Row; 4] = [(1, "a", 0), (1, "b", 0), (2, "a", 1), (3, "a", 2)];

/// A file of these columns, two rows a row group.
pub(crate) fn file(columns: &[String], rows: &[Row], properties: WriterProperties) -> Vec<u8> {
    file_with_null(columns, rows, properties, None)
}

/// A file whose column of this name is null in this row, counted from 0.
pub(crate) fn file_with_null(
    columns: &[String],
    rows: &[Row],
    properties: WriterProperties,
    null: Option<(&str, usize)>,
) -> Vec<u8> {
    let schema = format!("message m {{ {} }}", columns.join(" "));
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties.into()).unwrap();
    for (number, rows) in rows.chunks(2).enumerate() {
        let mut group = writer.next_row_group().unwrap();
        for column in columns {
            let mut into = group.next_column().unwrap().unwrap();
            let is_null = |row: usize| {
                null.is_some_and(|(name, null)| name == name_of(column) && null == 2 * number + row)
            };
            // A delete marker has neither size nor entity tag.
            let is_of_objects = matches!(name_of(column), "size" | "etag");
            let is_null = |row: usize| is_null(row) || is_of_objects && rows[row].1 == "marker";
            let levels: Vec<i16> = (0..rows.len())
                .map(|row| i16::from(!is_null(row)))
                .collect();
            let there = rows.iter().zip(&levels).filter(|(_, level)| **level == 1);
            let there: Vec<Row> = there.map(|(row, _)| *row).collect();
            let levels = column.starts_with("optional").then_some(&levels[..]);
            write(&mut into, column, &there, levels);
            into.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// The second word behind its repetition.
fn name_of(column: &str) -> &str {
    column.split([' ', ';']).nth(2).unwrap()
}

fn write(
    into: &mut SerializedColumnWriter<'_>,
    column: &str,
    rows: &[Row],
    levels: Option<&[i16]>,
) {
    fn typed<T: DataType>(
        into: &mut SerializedColumnWriter<'_>,
        values: Vec<T::T>,
        levels: Option<&[i16]>,
    ) {
        into.typed::<T>()
            .write_batch(&values, levels, None)
            .unwrap();
    }
    let number = |(time, key, rank): &Row| match name_of(column) {
        "effective_time" | "last_modified" => *time,
        "rank" => *rank,
        _ if *key == "negative" => -1,
        _ => 1,
    };
    let text = |(_, key, rank): &Row| match name_of(column) {
        "key" => (*key).to_owned(),
        "version_id" if *key == "long" => "v".repeat(8192),
        "version_id" if *key == "too long" => "v".repeat(8193),
        name => format!("{name}-{rank}"),
    };
    match column.split(' ').nth(1).unwrap() {
        "int64" => typed::<Int64Type>(into, rows.iter().map(number).collect(), levels),
        "int32" => typed::<Int32Type>(into, rows.iter().map(|_| 1).collect(), levels),
        "int96" => typed::<Int96Type>(into, rows.iter().map(|_| Int96::new()).collect(), levels),
        "boolean" => {
            let is = |row: &Row| name_of(column) == "is_delete_marker" && row.1.contains("marker");
            typed::<BoolType>(into, rows.iter().map(is).collect(), levels);
        }
        _ => {
            let texts = rows
                .iter()
                .map(|row| ByteArray::from(text(row).into_bytes()));
            typed::<ByteArrayType>(into, texts.collect(), levels);
        }
    }
}

pub(crate) fn columns() -> Vec<String> {
    COLUMNS.map(str::to_owned).to_vec()
}

pub(crate) fn good(rows: &[Row]) -> Vec<u8> {
    file(&columns(), rows, WriterProperties::builder().build())
}

pub(crate) fn position((time, key, rank): Row) -> Value {
    json!({ "effectiveTime": Timestamp(time), "key": key, "rank": rank })
}

/// A run of the manifest, as its writer should write it.
pub(crate) fn run(name: &str, rows: &[Row], file: &[u8]) -> Value {
    let ends = [rows[0], rows[rows.len() - 1]].map(position);
    json!({ "name": name, "rows": rows.len(), "bytes": file.len(), "first": ends[0], "last": ends[1] })
}

pub(crate) fn manifest(runs: &[Value]) -> Value {
    let rows: u64 = runs.iter().map(|run| run["rows"].as_u64().unwrap()).sum();
    json!({
        "version": 1, "bucket": "ledger", "madeBy": "a test", "runs": runs,
        "summary": { "events": rows, "created": rows, "removed": 0, "bytes": rows, "byMonth": {} },
    })
}

/// A plan's columns as `DuckDB` writes them: all are nullable, and in the order in which they were named.
pub(crate) fn nullable_in_another_order() -> Vec<String> {
    let mut columns = columns();
    columns.reverse();
    columns
        .iter()
        .map(|column| column.replace("required", "optional"))
        .collect()
}
