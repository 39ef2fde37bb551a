//! Jobs: one replay of history each, a chain of segments that hand over to each other.
//!
//! - [`state`]: the job and what may become of it (pure), `requested`: by an operator's request;
//!   [`stored`]: how it is kept; [`options`]: what it was asked to do; [`phase`]: where it is in its life;
//!   [`place`]: where it stands in the list of jobs; [`transition`]: what of it is told to others
//! - [`invocation`]: what a segment is asked to do; [`segment`]: its life; `takeover`: how it gets its job; `work`: what it
//!   does; [`settings`]: how; `segment_error`: why it stopped early; `settle`: what
//!   is to become of the job then
//! - [`lease`]: the right to work on a job, renewed by a heartbeat that also writes the checkpoint
//! - [`sweep`]: continues jobs whose segment died
//! - [`handover`]: how far a job is that live changes follow, `hand_over`: the work for it; [`tend`]: looks after
//!   its hold; [`live`]: what it touches
//! - [`ports`]: everything a job touches; [`store`]: where jobs are kept; [`event_bus`]: where others are told of
//!   them; [`error`]: why they fail

pub mod error;
pub mod event_bus;
mod hand_over;
pub mod handover;
mod heartbeat;
pub mod invocation;
pub mod lease;
pub mod live;
pub mod options;
pub mod phase;
pub mod place;
pub mod ports;
mod requested;
pub mod segment;
mod segment_error;
pub mod settings;
mod settle;
#[cfg(test)]
mod slow;
pub mod state;
pub mod store;
pub mod stored;
pub mod sweep;
mod takeover;
pub mod tend;
pub mod transition;
mod work;
