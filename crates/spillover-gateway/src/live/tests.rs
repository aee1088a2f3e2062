use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use spillover_core::{Backend, Pool};
use tokio::sync::watch;
use tower::{Service, ServiceExt, service_fn};

use super::Live;
use crate::{ready::call_ready, site::PoolConfig, site::Site};

fn site() -> Arc<Site> {
    let backend = Backend::builder("a").url("https://a.example").build();
    let pool = Pool::new([backend.unwrap()]).unwrap();
    let config = PoolConfig::new("default", pool.backends().cloned());
    Arc::new(Site::of_pool(config, pool))
}

/// Answers with the number of the configuration, and holds a reference to it.
fn numbered(
    site: &Arc<Site>,
    number: u32,
) -> impl Service<(), Response = u32, Error = Infallible, Future = Ready<Result<u32, Infallible>>>
+ Clone
+ use<> {
    let site = Arc::clone(site);
    service_fn(move |()| {
        let _site = &site;
        ready(Ok(number))
    })
}

#[tokio::test]
async fn newest_configuration_serves_and_each_is_built_once() {
    let (sites, newest) = watch::channel(site());
    let made = AtomicU32::new(0);
    let live = Live::new(newest, |site: &_| {
        numbered(site, made.fetch_add(1, Relaxed))
    });
    let (mut one, mut other) = (live.clone(), live.clone());
    for number in 0..3 {
        for live in [&mut one, &mut other] {
            assert_eq!(call_ready(live, ()).await, Ok(number));
            assert_eq!(call_ready(&mut live.clone(), ()).await, Ok(number));
        }
        sites.send_replace(site());
    }
    assert_eq!(call_ready(&mut one, ()).await, Ok(3));
    drop(sites);
    assert_eq!(call_ready(&mut one, ()).await, Ok(3));
}

#[tokio::test]
async fn idle_service_holds_no_configuration() {
    let first = site();
    let old = Arc::downgrade(&first);
    let (sites, newest) = watch::channel(first);
    let live = Live::new(newest, |site: &_| numbered(site, 0));
    let (mut busy, _idle) = (live.clone(), live.clone());
    assert_eq!(call_ready(&mut busy, ()).await, Ok(0));

    sites.send_replace(site());
    assert!(old.upgrade().is_some());
    assert_eq!(call_ready(&mut busy, ()).await, Ok(0));
    assert!(old.upgrade().is_none());
}

#[tokio::test]
async fn ready_service_serves_with_the_configuration_it_was_ready_for() {
    let (sites, newest) = watch::channel(site());
    let made = AtomicU32::new(0);
    let mut live = Live::new(newest, |site: &_| {
        numbered(site, made.fetch_add(1, Relaxed))
    });
    live.ready().await.unwrap();
    sites.send_replace(site());
    assert_eq!(live.call(()).await, Ok(0));
    assert_eq!(call_ready(&mut live, ()).await, Ok(1));
}
