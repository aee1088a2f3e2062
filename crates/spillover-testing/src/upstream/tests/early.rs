use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::{ScriptedBody, body::BodyHandle};

#[tokio::test]
async fn early_response_begins_before_the_request_body_ends() {
    let upstream = upstream().await;
    let behaviors = [
        Behavior::status(200).early(),
        Behavior::status(200).early_unread(),
    ];
    for http2 in [false, true] {
        for behavior in &behaviors {
            upstream.handle().push(behavior.clone());
            let body = ScriptedBody::new().data("some").pause();
            let response = client(http2).request(body_to(&upstream, body));
            let response = timeout(Duration::from_secs(5), response).await;
            assert_eq!(response.unwrap().unwrap().status(), 200);
            assert_eq!(upstream.handle().last_request().unwrap().body, "");
        }
    }
}

#[tokio::test]
async fn early_response_reads_the_rest_of_the_request_unless_unread() {
    let upstream = upstream().await;
    for http2 in [false, true] {
        upstream.handle().push(Behavior::status(200).early());
        let (body, sender) = paused_body();
        let response = client(http2)
            .request(body_to(&upstream, body))
            .await
            .unwrap();
        assert!(!sender.is_dropped());
        sender.resume();
        wait_until_dropped(&sender).await;
        assert_eq!(sender.data_bytes(), 1_000_000);
        drop(response);

        upstream.handle().push(Behavior::status(200).early_unread());
        let (body, sender) = paused_body();
        let response = client(http2)
            .request(body_to(&upstream, body))
            .await
            .unwrap();
        wait_until_dropped(&sender).await;
        assert_eq!(sender.data_bytes(), 0);
        drop(response);
    }
}

fn paused_body() -> (ScriptedBody, BodyHandle) {
    let body = ScriptedBody::new().pause().data(vec![0; 1_000_000]);
    let handle = body.handle();
    (body, handle)
}

async fn wait_until_dropped(body: &BodyHandle) {
    let gone = async {
        while !body.is_dropped() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.unwrap();
}
