//! `serve`: real processes, a queue of notifications and one of events, and whatever happens to them.

#[path = "../common/mod.rs"]
mod common;
mod exact;
mod full;
mod http;
mod interrupted;
mod jobs;
mod newest;
mod process;
mod queue;
mod queues;
mod strangers;
mod unheld;
