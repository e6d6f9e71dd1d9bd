//! What a change may touch: the placement and its mask.
//!
//! `writable` = selected ∩ mask, or selected without a mask. Created and updated is only what is writable. Deleted is
//! only what left the placement, and then only without a mask or if the mask names it.

use std::collections::BTreeSet;

/// The resolved placement and mask of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Members that the placement selects.
    pub selected: BTreeSet<String>,
    /// Members that the mask names; `None` without a mask, which is not the same as an empty one.
    pub mask: Option<BTreeSet<String>>,
}

/// What may happen to the object in one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Selected and not masked out: create, update, repair.
    Write,
    /// Selected but masked out: nothing, not even repair.
    Hold,
    /// Not selected; what is there may be removed.
    Remove,
    /// Not selected, but the mask does not name it: what is there stays.
    Keep,
}

impl Reach {
    /// What may happen in the member of that name.
    #[must_use]
    pub fn permit(&self, member: &str) -> Permit {
        let unmasked = self.mask.as_ref().is_none_or(|mask| mask.contains(member));
        match (self.selected.contains(member), unmasked) {
            (true, true) => Permit::Write,
            (true, false) => Permit::Hold,
            (false, true) => Permit::Remove,
            (false, false) => Permit::Keep,
        }
    }

    /// Members that may be written.
    pub fn writable(&self) -> impl Iterator<Item = &str> {
        self.selected
            .iter()
            .map(String::as_str)
            .filter(|member| self.permit(member) == Permit::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_mask_guards_changes_and_removals() {
        let reach = |mask: Option<&[&str]>| Reach {
            selected: set(&["a", "b"]),
            mask: mask.map(set),
        };
        let permits = |reach: Reach| ["a", "b", "c"].map(|member| reach.permit(member));
        use Permit::{Hold, Keep, Remove, Write};
        assert_eq!(permits(reach(None)), [Write, Write, Remove]);
        assert_eq!(permits(reach(Some(&[]))), [Hold, Hold, Keep]);
        assert_eq!(permits(reach(Some(&["a"]))), [Write, Hold, Keep]);
        assert_eq!(permits(reach(Some(&["c"]))), [Hold, Hold, Remove]);
    }

    proptest! {
        #[test]
        fn masks_only_ever_narrow(
            selected in proptest::collection::btree_set("[a-e]", 0..5),
            mask in proptest::option::of(proptest::collection::btree_set("[a-e]", 0..5)),
        ) {
            let masked = Reach { selected: selected.clone(), mask: mask.clone() };
            let free = Reach { selected: selected.clone(), mask: None };
            for member in ["a", "b", "c", "d", "e"] {
                match masked.permit(member) {
                    Permit::Write => prop_assert_eq!(free.permit(member), Permit::Write),
                    Permit::Remove => prop_assert_eq!(free.permit(member), Permit::Remove),
                    Permit::Hold | Permit::Keep => prop_assert!(mask.as_ref().is_some_and(|mask| !mask.contains(member))),
                }
            }
            let writable: BTreeSet<String> = masked.writable().map(str::to_owned).collect();
            let expected = match &mask {
                Some(mask) => selected.intersection(mask).cloned().collect(),
                None => selected,
            };
            prop_assert_eq!(writable, expected);
        }
    }
}
