//! Interrupted operations: an answer that gets lost, a future that is dropped.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use flux_core::backend::{ConfigRepo as _, ErrorKind, Range};
use flux_git::{Credentials, GitRepo};
use flux_test_support::{git_http, unique};

use crate::{
    servers::{WEB, change},
    upstream::{Bare, init_bare},
};

/// The point at which pushes break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// The server gets none of the push.
    Before,
    /// The server has carried the push out, and its answer is lost.
    After,
}

/// Starts a proxy that breaks pushes until the flag is cleared, and returns its address.
fn between(server: String, at: Break, breaking: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, breaking) = (client.unwrap(), Arc::clone(&breaking));
            let server = TcpStream::connect(&server).unwrap();
            thread::spawn(move || carry(client, server, at, &breaking));
        }
    });
    address
}

fn carry(mut client: TcpStream, mut server: TcpStream, at: Break, breaking: &Arc<AtomicBool>) {
    let lost = Arc::new(AtomicBool::new(false));
    let back = thread::spawn({
        let (mut client, mut server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let lost = Arc::clone(&lost);
        move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = server.read(&mut buffer) {
                // The server answers after it has done its work.
                if lost.load(Ordering::SeqCst) || client.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            let _ = client.shutdown(Shutdown::Both);
        }
    });
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        let is_push = String::from_utf8_lossy(&buffer[..read]).contains("/git-receive-pack HTTP");
        if is_push && breaking.load(Ordering::SeqCst) {
            lost.store(true, Ordering::SeqCst);
            if at == Break::Before {
                break;
            }
        }
        if server.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Write);
    let _ = back.join();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_neither_lost_nor_made_twice() {
    for at in [Break::After, Break::Before] {
        let Some(server) = git_http() else { return };
        let name = unique("config");
        let bare = Bare::at(server.create(&name));
        bare.seed(&WEB);
        let breaking = Arc::new(AtomicBool::new(false));
        let direct = server.url(&name);
        let host = direct.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let through = direct.replace(host, &between(host.to_owned(), at, Arc::clone(&breaking)));
        let repo = GitRepo::builder(through).credentials(Credentials::none()).open().unwrap();
        let base = repo.head().await.unwrap();
        breaking.store(true, Ordering::SeqCst);
        let outcome = repo.commit(&base, &change("image: web:2\n")).await;
        breaking.store(false, Ordering::SeqCst);
        let tip = repo.head().await.unwrap();
        match at {
            Break::After => assert_eq!(outcome, Ok(tip.clone()), "it landed, and that was found out"),
            Break::Before => {
                assert!(matches!(&outcome, Err(e) if e.kind() == ErrorKind::Unavailable), "{outcome:?}");
                assert_eq!(tip, base);
            }
        }
        let again = repo.commit(&base, &change("image: web:2\n")).await.unwrap();
        let range = Range { after: Some(base), upto: repo.head().await.unwrap(), limit: 10 };
        let history = repo.history(&range).await.unwrap();
        assert_eq!(history.len(), 1, "{history:?}");
        assert_eq!((&history[0].revision, history[0].note.as_deref()), (&again, Some("why")));
    }
}

#[tokio::test]
async fn a_future_that_is_dropped_leaves_a_repository_that_works() {
    let dir = tempfile::tempdir().unwrap();
    init_bare(&dir.path().join("a.git"));
    let bare = Bare::at(dir.path().join("a.git"));
    bare.seed(&WEB);
    let repo = bare.open(|builder| builder);
    let base = repo.head().await.unwrap();
    let change = change("image: web:2\n");
    for _ in 0..10 {
        tokio::select! {
            biased;
            _ = repo.commit(&base, &change) => {}
            () = std::future::ready(()) => {}
        }
    }
    let tip = repo.head().await.unwrap();
    let range = Range { after: Some(base), upto: tip, limit: 10 };
    assert!(repo.history(&range).await.unwrap().len() <= 1, "at most one of equal commits lands");
}
