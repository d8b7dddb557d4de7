//! Sessions, the one-time password and wrong tries, in made-up time.

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const AT: Timestamp = Timestamp(1_800_000_000_000);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A box with an account.
fn door() -> (tempfile::TempDir, Access, Who, Instant) {
    let folder = tempfile::tempdir().unwrap();
    let (access, password) = Access::open(folder.path(), false).unwrap();
    assert!(password.is_some());
    access.accounts.change(|book| book.add_first("chen", "h".into(), AT)).unwrap();
    let who = Who::of("chen", &access.accounts.book()).unwrap();
    (folder, access, who, Instant::now())
}

#[test]
fn a_fresh_box_has_a_password_that_is_void_once_somebody_has_an_account() {
    let folder = tempfile::tempdir().unwrap();
    let (mut access, password) = Access::open(folder.path(), false).unwrap();
    let password = password.unwrap();
    let now = Instant::now();
    assert_eq!(access.one_time(&password.to_uppercase().replace('-', " ")), Some(Who::Setup));
    assert_eq!(access.one_time(&password[1..]), None);
    assert!(access.bearer(&password, HERE, AT, now).is_err(), "it is no token");
    let session = access.enter(Who::Setup, HERE, AT, now).unwrap();

    access.accounts.change(|book| book.add_first("chen", "h".into(), AT)).unwrap();

    assert_eq!(access.one_time(&password), None);
    assert_eq!(access.who(&session, now), None);
    let (_, again) = Access::open(folder.path(), false).unwrap();
    assert_eq!(again, None, "a box with accounts prints no password");
}

#[test]
fn demo_s_password_is_an_admin_s_and_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let (mut access, password) = Access::open(folder.path(), true).unwrap();
    let password = password.unwrap();

    assert_eq!(password.len(), 23);
    assert_eq!(access.one_time(&password), Some(Who::Owner));
    let bearer = access.bearer(&password, HERE, AT, Instant::now()).unwrap();
    assert_eq!((bearer.principal, bearer.metrics_only), (owner(None), false));
}

#[test]
fn a_session_ends_after_twelve_hours_two_idle_ones_or_when_its_owner_leaves() {
    let (_folder, mut access, who, now) = door();
    let [session, other, idle] =
        [(); 3].map(|()| access.enter(who.clone(), HERE, AT, now).unwrap());

    for hours in 1..12 {
        let later = now + Duration::from_hours(hours);
        assert_eq!(access.visit(&session, later), Some(who.clone()), "{hours}");
    }
    assert_eq!(access.visit(&session, now + SESSION), None);
    assert!(access.who(&idle, now + IDLE - secs(1)).is_some());
    assert_eq!(access.who(&idle, now + IDLE), None);
    assert_eq!(access.who(&Session("guess".into()), now), None);
    access.logout(&other);
    assert_eq!(access.who(&other, now), None);
}

#[test]
fn another_password_or_role_or_no_account_ends_its_sessions() {
    type Change = fn(&mut Book);
    let changes: [Change; 3] = [
        |book| book.set_hash("li", "other".into()).unwrap(),
        |book| book.set_role("li", Role::Manager).unwrap(),
        |book| book.remove("li").unwrap(),
    ];
    for change in changes {
        let (_folder, mut access, chen, now) = door();
        let add = |book: &mut Book| book.add("li", Role::Viewer, "h".into(), AT).map(drop);
        access.accounts.change(add).unwrap();
        let li = Who::of("li", &access.accounts.book()).unwrap();
        let session = access.enter(li, HERE, AT, now).unwrap();
        let other = access.enter(chen, HERE, AT, now).unwrap();

        access
            .accounts
            .change(|book| {
                change(book);
                Ok(())
            })
            .unwrap();

        assert_eq!(access.who(&session, now), None);
        assert!(access.who(&other, now).is_some());
        assert_eq!(access.list(now).len(), 1);
    }
}

#[test]
fn sessions_are_bounded_listed_and_ended() {
    let (_folder, mut access, who, now) = door();
    let first = access.enter(who.clone(), HERE, AT, now).unwrap();
    for n in 1..=64 {
        access.enter(who.clone(), HERE, AT, now + secs(n)).unwrap();
    }
    assert_eq!(access.sessions.len(), MAX_SESSIONS);
    assert_eq!(access.who(&first, now + secs(65)), None);

    let mine = access.enter(who, HERE, AT, now + secs(70)).unwrap();
    assert_eq!(access.end(&mine.id(), Some("li")), None, "not another one's");
    access.end_others("chen", &mine);
    assert_eq!(access.list(now + secs(70)).len(), 1);
    assert_eq!(access.end(&mine.id(), Some("chen")), Some("chen".into()));
    assert_eq!(access.list(now + secs(70)), []);
}

#[test]
fn one_address_locks_itself_out_and_nobody_else() {
    let (_folder, mut access, who, now) = door();
    let there = IpAddr::from([10, 0, 0, 2]);
    for _ in 0..4 {
        assert_eq!(access.attempt("chen", HERE, now), Ok(Denied::Wrong));
    }
    assert_eq!(access.attempt("chen", HERE, now), Ok(Denied::Locked(secs(60))));

    let right = access.attempt("chen", HERE, now + secs(20));
    assert_eq!(right, Err(Denied::Locked(secs(40))), "the right one learns nothing either");
    assert_eq!(access.attempt("chen", there, now), Ok(Denied::Wrong));
    access.enter(who, there, AT, now).unwrap();
    assert!(access.attempt("chen", HERE, now).is_err());
}

#[test]
fn an_account_is_locked_when_many_addresses_guess_together() {
    let (_folder, mut access, _, now) = door();
    let mut tried = 0;

    let locked = (0..250).find_map(|n| {
        tried += 1;
        access
            .attempt("chen", IpAddr::from([10, 0, 1, n]), now)
            .ok()
            .filter(|d| *d != Denied::Wrong)
    });

    assert_eq!((tried, locked), (20, Some(Denied::Locked(secs(60)))));
    assert_eq!(access.attempt("li", HERE, now), Ok(Denied::Wrong));
}

#[test]
fn a_token_may_what_its_scope_says_and_a_wrong_one_locks_out_only_scripts() {
    let (_folder, mut access, _, now) = door();
    let make = |scope: Scope| move |book: &mut Book| book.add_token(scope.word(), scope, None, AT);
    let tokens = Scope::ALL.map(|scope| access.accounts.change(make(scope)).unwrap());
    let found = tokens.map(|token| {
        let bearer = access.bearer(&token, HERE, AT, now).unwrap();
        (bearer.principal.role, bearer.metrics_only, bearer.used.is_some())
    });
    let expected = [
        (Role::Viewer, false, true),
        (Role::Manager, false, true),
        (Role::Integrator, false, true),
        (Role::Viewer, true, true),
    ];
    assert_eq!(found, expected);

    for _ in 0..9 {
        access.bearer("yesterday", HERE, AT, now).unwrap_err();
    }
    assert!(matches!(access.bearer("yesterday", HERE, AT, now), Err(Denied::Locked(_))));
    assert_eq!(access.attempt("chen", HERE, now), Ok(Denied::Wrong));
}
