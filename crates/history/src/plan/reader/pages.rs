//! The pages of a column, without those that have no rows: the library takes such a page for the column's end.

use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;

/// Pages as `R` reads them.
pub(super) struct WithRows<R>(pub(super) R);

impl<R: PageReader> Iterator for WithRows<R> {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<R: PageReader> PageReader for WithRows<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        loop {
            match self.0.get_next_page()? {
                Some(page) if page.is_data_page() && page.num_values() == 0 => {}
                page => return Ok(page),
            }
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.0.skip_next_page()
    }
}
