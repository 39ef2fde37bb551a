//! What the Parquet library makes of damaged pages.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;

/// The Parquet library panics on some damaged pages (found by the test that damages runs). A job
/// must end with an error that names the file instead, so the panic is caught here; nothing that
/// it could have left half done is used again (docs/decisions/0003).
pub(super) fn catch_panic<T>(
    decode: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(decoded) => decoded.map_err(|e| e.to_string()),
        Err(_) => Err("the Parquet reader panicked on it".to_owned()),
    }
}
