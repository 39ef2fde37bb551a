//! What must hold of `template.yaml`, checked without deploying it, and what it costs.
//!
//! - [`template`]: the YAML as it is written
//! - [`intrinsic`]: `!Ref`, `!If`, `!Sub` … for given parameters
//! - [`stack`]: what would be deployed, as typed [`resources`]
//! - [`choices`]: every way to choose the parameters that change what is deployed
//! - [`rules`]: one function a rule; each tells what is wrong, in words
//! - [`policy`]: everything that is allowed, as lines for a golden file
//! - [`cost`]: the cost model (`cargo run -p infra -- cost`), with [`prices`]

pub mod choices;
pub mod cost;
pub mod intrinsic;
pub mod policy;
pub mod prices;
pub mod resources;
pub mod rules;
pub mod stack;
pub mod template;
