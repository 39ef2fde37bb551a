//! Transcripts of a page of the documentation, made again and compared.
//!
//! A block of `console` has commands behind `$ `, each followed by what it says. They are run in order in one shell, as a
//! reader would type them. A line that is `…` stands for any lines.
//!
//! What differs from run to run (`words`) is compared by its kind only; of names and ids the same one must also be
//! the same wherever it comes again, and commands get this run's.

mod again;
mod compared;
mod page;
mod shell;
mod words;

pub use again::Again;
pub use compared::Names;
pub use page::{Page, Turn};
pub use shell::Shell;
