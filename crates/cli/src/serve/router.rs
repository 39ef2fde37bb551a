//! Which path is answered by whom.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use axum::routing::{get, head};
use serde_json::json;

use crate::serve::answer::{document, refused};
use crate::serve::figures::Figures;
use crate::serve::jobs::Jobs;
use crate::serve::notifications::Door;
use crate::serve::ready::Ready;
use crate::serve::{jobs, notifications};

/// All that is answered.
pub(crate) fn router(
    door: Arc<Door>,
    jobs: Option<Arc<Jobs>>,
    ready: Arc<Ready>,
    figures: Figures,
) -> Router {
    let notifications = head(notifications::head).post(notifications::post);
    Router::new()
        .route("/notifications", notifications)
        .with_state(door)
        .route("/readyz", get(readyz))
        .with_state(ready)
        .route("/metrics", get(metrics))
        .with_state(figures)
        .route("/healthz", get(healthz))
        .merge(jobs.map_or_else(Router::new, of_jobs))
        .fallback(unknown)
}

fn of_jobs(jobs: Arc<Jobs>) -> Router {
    Router::new()
        .route("/jobs", get(jobs::all).post(jobs::post))
        .route("/jobs/{id}", get(jobs::one))
        .with_state(jobs)
}

/// It lives, whatever else does.
async fn healthz() -> Response<Body> {
    document(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn readyz(State(ready): State<Arc<Ready>>) -> Response<Body> {
    let (is_ready, answers) = ready.ask().await;
    let (status, word) = if is_ready {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    document(status, &json!({ "status": word, "answers": answers }))
}

async fn metrics(State(figures): State<Figures>) -> Response<Body> {
    Response::new(Body::from(figures.text()))
}

async fn unknown() -> Response<Body> {
    let paths = "allowed are POST /notifications, GET /healthz, /readyz and /metrics; POST and GET /jobs and GET \
                 /jobs/ID where BUCKET_NAME names one bucket";
    refused(StatusCode::NOT_FOUND, paths)
}
