//! Pages as no writer of this repository makes them: of any number of rows, with much behind their values, with headers
//! that lie. Rows are read as they are, and what is held of pages is bounded.
//!
//! - [`page`]: a page, byte by byte; [`file`]: a run of them; [`reading`]: it is read, and what is allocated counted

mod file;
mod filler;
#[path = "../common/in_hand.rs"]
mod in_hand;
mod lies;
mod many;
mod page;
mod reading;
mod rows;
