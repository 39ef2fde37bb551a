//! What must hold of `template.yaml`, checked without deploying it, and what it costs.
//!
//! - [`template`]: the YAML as it is written
//! - [`intrinsic`]: `!Ref`, `!If`, `!Sub` … for given parameters
//! - [`stack`]: what would be deployed, as typed [`resources`]
//! - [`choices`]: every way to choose the parameters that change what is deployed
//! - [`changes`]: what a deployment with other parameters would lose
//! - [`rules`]: one function a rule; each tells what is wrong, in words
//! - [`mod@packaged`]: the template as a release has it
//! - [`policy`]: everything that is allowed, as lines for a golden file
//! - [`granted`]: what one role may do, as a policy document with the names of resources that are there
//! - [`cost`]: the cost model (`cargo run -p infra -- cost`), with [`prices`]

pub mod changes;
pub mod choices;
pub mod cost;
pub mod granted;
pub mod intrinsic;
pub mod packaged;
pub mod policy;
pub mod prices;
pub mod resources;
pub mod rules;
pub mod stack;
pub mod template;
