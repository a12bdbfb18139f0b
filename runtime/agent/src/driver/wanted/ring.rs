//! Which of several next hops has which of a group's buckets.
//!
//! Each bucket has an order of its own in which next hops have it, and the first of those that are there has it. So who goes leaves
//! its own buckets to others, and who comes back takes the same again: no other flow moves. The orders begin and go on with another
//! next hop from bucket to bucket, so that the load is even, whoever is there.

use vouch_tables::Bucket;

/// Who has each bucket: one of those that are there, by its place in the list.
pub(crate) type Owners = [usize; Bucket::COUNT as usize];

/// For each bucket the next hop that has it. `None` if none is there.
pub(crate) fn ring(there: &[bool]) -> Option<Owners> {
    let mut owners = [0; Bucket::COUNT as usize];
    for (bucket, owner) in owners.iter_mut().enumerate() {
        *owner = order(bucket, there.len()).find(|hop| there[*hop])?;
    }
    Some(owners)
}

/// The next hops of a list of so many in the order in which they have the bucket.
fn order(bucket: usize, hops: usize) -> impl Iterator<Item = usize> {
    let (turn, first) = (bucket.checked_div(hops).unwrap_or(0), bucket.checked_rem(hops).unwrap_or(0));
    let others = hops.saturating_sub(1);
    let rest = (0..others).map(move |step| (first + 1 + (turn + step) % others) % hops);
    (hops > 0).then_some(first).into_iter().chain(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(owners: &[usize], hop: usize) -> usize {
        owners.iter().filter(|owner| **owner == hop).count()
    }

    #[test]
    fn each_bucket_knows_each_next_hop_once() {
        for hops in 0..=64 {
            for bucket in 0..64 {
                let mut order: Vec<_> = order(bucket, hops).collect();
                order.sort_unstable();
                assert_eq!(order, (0..hops).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn what_one_leaves_is_shared_by_all_others() {
        for hops in 2..=16_usize {
            for gone in 0..hops {
                let there: Vec<_> = (0..hops).map(|hop| hop != gone).collect();
                let owners = ring(&there).expect("some are there");
                let shares: Vec<_> = (0..hops).filter(|hop| *hop != gone).map(|hop| share(&owners, hop)).collect();
                let (least, most) = (shares.iter().min().expect("some"), shares.iter().max().expect("some"));
                assert!(most - least <= 2, "{hops} next hops without {gone}: {shares:?}");
            }
        }
    }

    #[test]
    fn without_next_hops_nobody_has_anything() {
        assert_eq!(ring(&[]), None);
        assert_eq!(ring(&[false, false]), None);
    }

    proptest! {
        /// Whoever is there, and whoever goes or comes: only buckets that it had or gets change, and nobody has more than a few more
        /// than another when all are there.
        #[test]
        fn only_who_comes_or_goes_moves_buckets(mut there in prop::collection::vec(any::<bool>(), 2..64), which in any::<prop::sample::Index>()) {
            let which = which.index(there.len());
            there[which] = true;
            let with = ring(&there).expect("one is there");
            there[which] = false;
            match ring(&there) {
                None => prop_assert!(with.iter().all(|owner| *owner == which)),
                Some(without) => {
                    for (with, without) in with.iter().zip(&without) {
                        prop_assert!(there[*without]);
                        prop_assert!(with == without || *with == which);
                    }
                }
            }
            let all = ring(&vec![true; there.len()]).expect("all are there");
            for hop in 0..there.len() {
                let share = share(&all, hop);
                prop_assert!((64 / there.len()..=64_usize.div_ceil(there.len())).contains(&share));
            }
        }
    }
}
