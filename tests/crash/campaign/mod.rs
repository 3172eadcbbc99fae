//! The campaign: production partitions on production stores on a disk that crashes, against a plain model.
//!
//! **Owns** one seed's history: lives, clients, cuts, and the comparison after every start.
//! **Never** looks into a journal or a segment to decide what is right; the model knows batches only.
//! **Invariants**: a comparison follows every start, whatever ended the life before.
//! **Enter at** [`run`], then `life`.

mod broker;
mod clients;
mod compaction;
mod coverage;
mod damage;
mod journal;
mod left;
mod life;
mod model;
mod run;
mod shard;
mod stories;
mod topics;
mod verify;

pub use broker::Start;
pub use clients::{Clients, Plan};
pub use damage::{Kind, Target, Verdict, damage, lie};
pub use life::{LifePlan, Opened, Phase, Witness, live, open};
pub use model::Model;
pub use run::{KEYS, Report, any_log_config, any_map_bytes, run};
pub use stories::{on_all_cores, setting};
