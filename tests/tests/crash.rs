//! SIGKILL at random moments: what was acknowledged is kept, everything converges, and nothing is touched without need.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use federation_tests::federated::{Trace, counted, entry, federated_foo};
use federation_tests::{Kubectl, Moments, Playground, eventually};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config};
use serde_json::{Value, json};

/// How many times the playground is killed.
const KILLS: usize = 20;
/// So many changes are acknowledged for each kill, on average at least.
const STEP: usize = 6;
/// For so long a kill is put off for that.
const PATIENCE: Duration = Duration::from_secs(60);
/// Objects that the writer changes all the time.
const BUSY: usize = 4;
/// Objects that nobody changes, so that nobody has a reason to write them.
const STILL: [&str; 3] = ["still-0", "still-1", "still-2"];
const CELLS: [&str; 3] = ["rz00a", "rz00b", "rz01a"];

/// What the client knows of one object: the last change that was acknowledged and those sent since, which may have happened.
#[derive(Clone, Debug, Default)]
struct Known {
    acknowledged: Option<String>,
    /// How many were, over all rounds.
    count: usize,
    pending: Vec<String>,
}

/// Namespace and name.
type Key = (String, String);
type Ledger = Arc<Mutex<BTreeMap<String, Known>>>;

#[test]
fn twenty_kills_lose_nothing_and_touch_nothing() {
    let Some(mut playground) = Playground::start() else {
        return;
    };
    let (seed, mut moments) = Moments::start();
    let still = make_still(&playground);
    let ledger = Ledger::default();
    let mut uids = BTreeMap::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for round in 0..KILLS {
        let writer = runtime.spawn(write(playground.kubeconfig(), round, ledger.clone()));
        get_somewhere(&ledger, round);
        let pause = moments.next(800);
        std::thread::sleep(Duration::from_millis(pause));
        playground.kill_9();
        runtime
            .block_on(writer)
            .expect("the writer ends with its hub");
        if moments.next(3) == 0 {
            // Sometimes it does not even get up again.
            playground.begin();
            std::thread::sleep(Duration::from_millis(moments.next(1200)));
            playground.kill_9();
        }
        playground.restart();
        let told = format!("seed {seed}, round {round}, after {pause} ms");
        nothing_is_lost(&playground, &ledger, &mut uids, &told);
        assert_eq!(still_traces(&members(&playground)), still, "{told}");
    }
    let counts: Vec<usize> = ledger
        .lock()
        .unwrap()
        .values()
        .map(|known| known.count)
        .collect();
    println!("acknowledged changes of each object: {counts:?}");
    assert_eq!(counts.len(), BUSY);
    assert!(
        acknowledged(&ledger) >= STEP * KILLS,
        "the writer got nowhere: {counts:?}"
    );
    assert!(
        playground.stop(),
        "it ends in good order when asked: {}",
        playground.log()
    );
}

/// All changes that were, of all objects.
fn acknowledged(ledger: &Ledger) -> usize {
    let ledger = ledger.lock().expect("nobody panics with it");
    ledger.values().map(|known| known.count).sum()
}

/// Waits, but not for ever, until there are as many changes as there should be by then: on a busy machine a hub needs longer for the
/// first than it is otherwise given to live.
fn get_somewhere(ledger: &Ledger, round: usize) {
    let begun = Instant::now();
    while acknowledged(ledger) < STEP * (round + 1) && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_first_start_can_be_cut_short() {
    let Some(mut playground) = Playground::prepare() else {
        return;
    };
    let (seed, mut moments) = Moments::start();
    for round in 0..6 {
        playground.begin();
        std::thread::sleep(Duration::from_millis(moments.next(700)));
        playground.kill_9();
        println!("round {round} of seed {seed}");
    }
    playground.restart();
    let hub = playground.hub();
    hub.apply(&federated_foo("first", &CELLS, "joe"));
    counted(&hub, "federatedfoo", "first", 3, 0);
}

/// Makes the objects that stay as they are, and notes what they look like in the members.
fn make_still(playground: &Playground) -> BTreeMap<Key, Trace> {
    let hub = playground.hub();
    for name in STILL {
        hub.apply(&federated_foo(name, &CELLS, "nobody"));
    }
    for name in STILL {
        eventually("the operator's word is on the hub", || {
            let object = hub.try_get("federatedfoo", name)?;
            let told = |cell: &&str| entry(&object, cell)["remoteStatus"]["happy"].is_boolean();
            if CELLS.iter().all(told) {
                Ok(())
            } else {
                Err(object.to_string())
            }
        });
    }
    let still = still_traces(&members(playground));
    assert_eq!(still.len(), STILL.len() * CELLS.len());
    still
}

/// The Foos of both members, by namespace and name.
fn members(playground: &Playground) -> BTreeMap<Key, Value> {
    let lists = ["hz-1", "sh-1"].map(|name| list(&playground.member(name), "foos"));
    lists.into_iter().flatten().collect()
}

fn still_traces(members: &BTreeMap<Key, Value>) -> BTreeMap<Key, Trace> {
    members
        .iter()
        .filter(|((_, name), _)| STILL.contains(&name.as_str()))
        .map(|(key, foo)| (key.clone(), Trace::of(foo)))
        .collect()
}

/// All objects of a kind, by namespace and name.
fn list(kubectl: &Kubectl, kind: &str) -> BTreeMap<Key, Value> {
    let text = kubectl.output(&["get", kind, "-A", "-o", "json"]);
    let list: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
    let items = list["items"].as_array().expect("a list").iter();
    items
        .map(|item| {
            let field = |name: &str| {
                item["metadata"][name]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            };
            ((field("namespace"), field("name")), item.clone())
        })
        .collect()
}

/// Changes the busy objects in turn, as fast as the hub answers, until it does not answer any more.
async fn write(kubeconfig: std::path::PathBuf, round: usize, ledger: Ledger) {
    let hub_client = client(&kubeconfig).await;
    let kind = GroupVersionKind::gvk("types.kubefed.io", "v1", "FederatedFoo");
    let resource = ApiResource::from_gvk_with_plural(&kind, "federatedfoos");
    let foos: Api<DynamicObject> = Api::namespaced_with(hub_client, "bank-prod", &resource);
    for step in 0.. {
        let name = format!("busy-{}", step % BUSY);
        let friend = format!("friend-{round}-{step}");
        let new = {
            let mut ledger = ledger.lock().expect("nobody panics with it");
            let known = ledger.entry(name.clone()).or_default();
            known.pending.push(friend.clone());
            known.acknowledged.is_none()
        };
        let answer = if new {
            let object = federated_foo(&name, &CELLS, &friend);
            let object = serde_json::from_value(object).expect("an object");
            match foos.create(&PostParams::default(), &object).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => {
                    // Made in an earlier round, whose answer was cut off.
                    change(&foos, &name, &friend).await
                }
                other => other,
            }
        } else {
            change(&foos, &name, &friend).await
        };
        match answer {
            Ok(_) => {
                let mut ledger = ledger.lock().expect("nobody panics with it");
                let known = ledger.entry(name).or_default();
                known.acknowledged = Some(friend);
                known.count += 1;
                known.pending.clear();
            }
            Err(kube::Error::Api(status)) => panic!("{name} := {friend}: {status}"),
            // The hub is gone; whether this change happened is not known.
            Err(_) => return,
        }
    }
}

async fn change(
    foos: &Api<DynamicObject>,
    name: &str,
    friend: &str,
) -> kube::Result<DynamicObject> {
    let patch = json!({"spec": {"template": {"spec": {"name": friend}}}});
    foos.patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
}

async fn client(kubeconfig: &std::path::Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .expect("a usable kubeconfig");
    config.connect_timeout = Some(Duration::from_secs(2));
    config.read_timeout = Some(Duration::from_secs(5));
    Client::try_from(config).expect("a usable kubeconfig")
}

/// The hub holds the last acknowledged change of each busy object, or one sent after it; the members follow; none was made anew.
fn nothing_is_lost(
    playground: &Playground,
    ledger: &Ledger,
    uids: &mut BTreeMap<Key, String>,
    told: &str,
) {
    let hub = list(&playground.hub(), "federatedfoos");
    let mut ledger = ledger.lock().expect("nobody panics with it");
    for (name, known) in ledger.iter_mut() {
        let Some(object) = hub.get(&("bank-prod".to_owned(), name.clone())) else {
            assert_eq!(known.acknowledged, None, "{name} is lost: {told}");
            known.pending.clear();
            continue;
        };
        let friend = friend_of(&object["spec"]["template"]);
        let possible =
            known.acknowledged.as_ref() == Some(&friend) || known.pending.contains(&friend);
        assert!(possible, "{name} has {friend}, not {known:?}: {told}");
        known.acknowledged = Some(friend);
        known.pending.clear();
    }
    let members = eventually(&format!("everything converges: {told}"), || {
        let (hub, members) = (
            list(&playground.hub(), "federatedfoos"),
            members(playground),
        );
        match hub.values().find_map(|object| behind(object, &members)) {
            None => Ok(members),
            Some(complaint) => Err(complaint),
        }
    });
    for (key, foo) in members {
        let uid = Trace::of(&foo).uid;
        let first = uids.entry(key.clone()).or_insert_with(|| uid.clone());
        assert_eq!(*first, uid, "{key:?} was made anew: {told}");
    }
}

/// Why a federated object has not arrived everywhere; `None` if it has, and says so itself.
fn behind(object: &Value, members: &BTreeMap<Key, Value>) -> Option<String> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let wanted = friend_of(&object["spec"]["template"]);
    let status = &object["status"];
    if status["observedGeneration"] != object["metadata"]["generation"]
        || status["counts"]["updated"] != CELLS.len()
    {
        return Some(format!("{name}: {status}"));
    }
    CELLS.iter().find_map(|cell| {
        let foo = members.get(&(format!("bank-prod-{cell}"), name.to_owned()));
        let found = foo.map(friend_of);
        (found.as_ref() != Some(&wanted))
            .then(|| format!("{name} in {cell}: {found:?}, not {wanted}"))
    })
}

/// Whom a Foo, or a template of one, looks for.
fn friend_of(foo: &Value) -> String {
    foo["spec"]["name"].as_str().unwrap_or_default().to_owned()
}
