//! Figures as a page: one HTML file that needs nothing else to be read, and bars for a terminal
//! (docs/decisions/0037).
//!
//! - [`page`]: sections of texts, [tables](table) and [charts](chart), whoever fills them, as HTML;
//!   [`number`]: how figures are written
//! - [`planned`]: the page of a dry run, made of a [`census`] of its plan
//! - [`timeline`], [`hours`], [`prefixes`], [`heavy`], [`top`], [`sizes`]: what is counted, each in bounded memory
//! - [`over_time`], [`by_prefix`]: what is counted so, as parts of a page; [`filter`]: what was asked for
//! - [`file`](mod@file): where the page is written
//! - [`bars`]: a histogram of lines

pub(crate) mod bars;
pub(crate) mod by_prefix;
pub(crate) mod census;
pub(crate) mod chart;
pub(crate) mod file;
pub(crate) mod filter;
pub(crate) mod heavy;
pub(crate) mod hours;
pub(crate) mod number;
pub(crate) mod over_time;
pub(crate) mod page;
pub(crate) mod planned;
pub(crate) mod prefixes;
pub(crate) mod sizes;
pub(crate) mod table;
pub(crate) mod timeline;
pub(crate) mod top;
