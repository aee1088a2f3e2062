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

use super::Reloadable;
use crate::{ready::call_ready, runtime::ActiveConfig, runtime::PoolConfig};

fn config() -> Arc<ActiveConfig> {
    let backend = Backend::builder("a").url("https://a.example").build();
    let pool = Pool::new([backend.unwrap()]).unwrap();
    let config = PoolConfig::new("default", pool.backends().cloned());
    Arc::new(ActiveConfig::with_pool(config, pool))
}

/// Answers with the number of the configuration, and holds a reference to it.
fn numbered(
    active: &Arc<ActiveConfig>,
    number: u32,
) -> impl Service<(), Response = u32, Error = Infallible, Future = Ready<Result<u32, Infallible>>>
+ Clone
+ use<> {
    let active = Arc::clone(active);
    service_fn(move |()| {
        let _active = &active;
        ready(Ok(number))
    })
}

#[tokio::test]
async fn newest_configuration_serves_and_each_is_built_once() {
    let (configs, newest) = watch::channel(config());
    let made = AtomicU32::new(0);
    let service = Reloadable::new(newest, |active: &_| {
        numbered(active, made.fetch_add(1, Relaxed))
    });
    let (mut one, mut other) = (service.clone(), service.clone());
    for number in 0..3 {
        for service in [&mut one, &mut other] {
            assert_eq!(call_ready(service, ()).await, Ok(number));
            assert_eq!(call_ready(&mut service.clone(), ()).await, Ok(number));
        }
        configs.send_replace(config());
    }
    assert_eq!(call_ready(&mut one, ()).await, Ok(3));
    drop(configs);
    assert_eq!(call_ready(&mut one, ()).await, Ok(3));
}

#[tokio::test]
async fn idle_service_holds_no_configuration() {
    let first = config();
    let old = Arc::downgrade(&first);
    let (configs, newest) = watch::channel(first);
    let service = Reloadable::new(newest, |active: &_| numbered(active, 0));
    let (mut busy, _idle) = (service.clone(), service.clone());
    assert_eq!(call_ready(&mut busy, ()).await, Ok(0));

    configs.send_replace(config());
    assert!(old.upgrade().is_some());
    assert_eq!(call_ready(&mut busy, ()).await, Ok(0));
    assert!(old.upgrade().is_none());
}

#[tokio::test]
async fn ready_service_serves_with_the_configuration_it_was_ready_for() {
    let (configs, newest) = watch::channel(config());
    let made = AtomicU32::new(0);
    let mut service = Reloadable::new(newest, |active: &_| {
        numbered(active, made.fetch_add(1, Relaxed))
    });
    service.ready().await.unwrap();
    configs.send_replace(config());
    assert_eq!(service.call(()).await, Ok(0));
    assert_eq!(call_ready(&mut service, ()).await, Ok(1));
}
