//! A federation in processes of its own: a hub, its controller, two joined members with a Foo operator each.
//!
//! What hub and members are is the [`Column`]'s: ours or upstream. A [`World`] is started once per column and shared by scenarios; each
//! makes a [`Workspace`] of its own, a hub namespace with three cells, and leaves the others' alone.

mod column;
mod hub;
mod member;
mod start;
mod workspace;

pub use column::{Column, Database, HubKind, MemberKind};
pub use hub::Hub;
pub use member::{Member, define_kinds};
pub use start::{LABELS, World, configure};
pub use workspace::{CELLS, Workspace};
