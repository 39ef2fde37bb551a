//! The client past the SDK's orchestrator: what it signs, where it sends, and what it makes of each answer.

mod answers;
mod bucket;
mod endpoints;
mod http;
mod server;
mod signatures;
mod table;
