use std::io::ErrorKind;

use tokio::net::TcpStream;

use super::*;

#[test]
fn handles_are_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<MockUpstream>();
    check::<UpstreamHandle>();
    check::<Behavior>();
}

#[tokio::test]
async fn upstream_refuses_connections_after_shutdown_until_restart() {
    let mut upstream = upstream().await;
    let caller = Caller::new(&upstream);
    assert_eq!(caller.chat(hello()).await.status, 200);

    upstream.shutdown().await;
    let error = TcpStream::connect(upstream.addr()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(caller.send("/", "").await.is_err());

    upstream.restart().await.unwrap();
    assert_eq!(caller.chat(hello()).await.status, 200);
    upstream.restart().await.unwrap();
    assert_eq!(Caller::new(&upstream).chat(hello()).await.status, 200);
    assert_eq!(upstream.handle().stats().served, 3);
}

#[tokio::test]
async fn request_cut_off_by_shutdown_does_not_count_as_cancelled() {
    let mut upstream = upstream().await;
    upstream.handle().set_behavior(Behavior::stall());
    for caller in [Caller::new(&upstream), Caller::http2(&upstream)] {
        let (result, ()) = tokio::join!(caller.send("/", ""), async {
            upstream
                .handle()
                .wait_for(|stats| stats.in_flight == 1)
                .await;
            upstream.shutdown().await;
        });
        assert!(result.is_err());
        let stats = upstream
            .handle()
            .wait_for(|stats| stats.in_flight == 0)
            .await;
        assert_eq!(stats.cancelled, 0);
        upstream.restart().await.unwrap();
    }
}

#[tokio::test]
async fn dropped_upstream_closes_its_port() {
    let upstream = upstream().await;
    let addr = upstream.addr();
    drop(upstream);
    while TcpStream::connect(addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn bind_to_an_address_in_use_fails() {
    let first = upstream().await;
    let taken = MockUpstream::builder().bind(first.addr()).start().await;
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrInUse);
    let addr = first.addr();
    assert_eq!(first.url(), format!("http://{addr}"));
}
