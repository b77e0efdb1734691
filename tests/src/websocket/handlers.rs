//! What handlers do with a socket, in each framework's own types.

macro_rules! handlers {
    ($framework:ident, $socket:ty, $is_close:expr, $text_of:expr, $message:expr) => {
        pub(super) mod $framework {
            use crate::websocket::world::Stage;

            /// Sends back what comes. `token …` renews, and says how that went.
            pub(in crate::websocket) async fn echo(mut socket: $socket, stage: Stage) {
                let _running = stage.enter(socket.tenure());
                while let Some(Ok(message)) = socket.recv().await {
                    if $is_close(&message) {
                        break;
                    }
                    let Some(text) = $text_of(message) else { continue };
                    let answer = match text.strip_prefix("token ") {
                        Some(token) => match socket.tenure().renew(token).await {
                            Ok(()) => "renewed".to_owned(),
                            Err(denial) => denial.reason().to_string(),
                        },
                        None => text,
                    };
                    if socket.send($message(answer)).await.is_err() {
                        break;
                    }
                }
            }

            /// Neither receives nor sends.
            pub(in crate::websocket) async fn idle(socket: $socket, stage: Stage) {
                let running = stage.enter(socket.tenure());
                running.released().await;
            }

            /// Sends as fast as it can, and nothing else.
            pub(in crate::websocket) async fn flood(mut socket: $socket, stage: Stage) {
                let running = stage.enter(socket.tenure());
                let much = "x".repeat(16 * 1024);
                while socket.send($message(much.clone())).await.is_ok() {
                    running.count_sent();
                }
            }
        }
    };
}

handlers!(
    axum,
    countersign_axum::Socket,
    |message: &axum::extract::ws::Message| matches!(message, axum::extract::ws::Message::Close(_)),
    |message: axum::extract::ws::Message| match message {
        axum::extract::ws::Message::Text(text) => Some(text.to_string()),
        _ => None,
    },
    |text: String| axum::extract::ws::Message::Text(text.into())
);

handlers!(
    actix,
    countersign_actix::Socket,
    |message: &actix_ws::Message| matches!(message, actix_ws::Message::Close(_)),
    |message: actix_ws::Message| match message {
        actix_ws::Message::Text(text) => Some(text.to_string()),
        _ => None,
    },
    |text: String| actix_ws::Message::Text(text.into())
);

handlers!(
    warp,
    countersign_warp::Socket,
    warp::ws::Message::is_close,
    |message: warp::ws::Message| message.to_str().ok().map(str::to_owned),
    |text: String| warp::ws::Message::text(text)
);
