//! How long an entry has not been hit.

use vouch_p4runtime::p4::v1::TableEntry;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::table_entry::IdleTimeout;
use vouch_p4runtime::p4::v1::update::Type;

use crate::support::{KINDS, Result, Switch, both};

const MILLI: i64 = 1_000_000;

/// It is the timeout without the milliseconds that are left: never more than the timeout, and nothing where there is none.
#[tokio::test]
async fn the_time_since_a_hit_is_told_as_on_bmv2() -> Result<()> {
    for which in both("the_time_since_a_hit_is_told_as_on_bmv2")? {
        let switch = Switch::start(which, KINDS).await?;
        for (mac, idle_timeout_ns) in [(1, 0), (2, 4_000 * MILLI), (3, 20 * MILLI), (4, 20 * MILLI + 999_999)] {
            let entry = TableEntry { idle_timeout_ns, ..switch.host(mac)? };
            assert_eq!(switch.write(Type::Insert, Kind::TableEntry(entry)).await?, None, "{}", switch.name);
        }
        assert_eq!(since(&switch, 1).await?, 0, "{}", switch.name);
        // BMv2 counts down from 2³² ns at most, and is wrong about what is more.
        let long = since(&switch, 2).await?;
        assert!(long % MILLI == 0 && (0..=4_000 * MILLI).contains(&long), "{}: {long}", switch.name);
        // Until it has got there, and there it stays.
        for (mac, most) in [(3, 20 * MILLI), (4, 20 * MILLI + 999_999)] {
            loop {
                let found = since(&switch, mac).await?;
                assert!((0..=most).contains(&found) && (most - found) % MILLI == 0, "{}: {found}", switch.name);
                if found == most {
                    break;
                }
            }
            assert_eq!(since(&switch, mac).await?, most, "{}", switch.name);
        }
    }
    Ok(())
}

/// The time since a hit of a host's entry, in nanoseconds.
async fn since(switch: &Switch, mac: u8) -> Result<i64> {
    let mut wanted = switch.host(mac)?;
    wanted.action = None;
    wanted.time_since_last_hit = Some(IdleTimeout::default());
    match switch.read(Kind::TableEntry(wanted)).await? {
        Ok(found) => match found.as_slice() {
            [Kind::TableEntry(TableEntry { time_since_last_hit: Some(since), .. })] => Ok(since.elapsed_ns),
            other => Err(format!("{other:?} is not one entry with its time").into()),
        },
        Err((code, text)) => Err(format!("{code:?}: {text}").into()),
    }
}
