//! The plan through the lanes into the queue.
//!
//! - [`target`]: where events go
//! - [`sender`]: hands out rows and starts the lanes; [`packer`]: rows made into messages; [`pacer`]: how
//!   fast they may go; [`window`]: how far ahead of the checkpoint
//! - [`lane`]: one ordered sender; [`gate`]: whether one
//!   may start; [`parking`]: where an event goes that the queue refuses for good
//! - [`checkpoint`]: how far the job has come; [`watermark`]: how it gets there

pub mod checkpoint;
pub mod error;
pub mod gate;
pub mod lane;
pub mod pacer;
pub mod packer;
pub mod parking;
pub mod sender;
pub mod target;
pub mod watermark;
pub mod window;
