use super::*;

fn all(kept: &KeptCharges) -> Vec<(u64, u64, Vec<u64>)> {
    let mut charges = Vec::new();
    kept.read(|charge| charges.push((charge.limit, charge.key, charge.words.to_vec())));
    charges
}

fn charge(key: u64, words: &[u64]) -> Charge<'_> {
    Charge { limit: 7, key, words }
}

#[test]
fn what_was_kept_is_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let wall = Timestamp::from_secs(1_795_247_139);
    let (log, kept) = ChargeLog::open(folder.path(), wall).unwrap();
    assert_eq!((kept.clock, all(&kept)), (wall, vec![]));
    log.keep(&[charge(1, &[0, 5, 6])]);
    log.keep(&[charge(2, &[0, 7, 8])]);
    let (log, kept) = ChargeLog::open(folder.path(), Timestamp::EPOCH).unwrap();
    assert_eq!(all(&kept), [(7, 1, vec![0, 5, 6]), (7, 2, vec![0, 7, 8])]);
    // The clock ran on: the wall clock of the second start was not asked, unless the system has no boot identity.
    assert!(kept.clock.minus(core::time::Duration::from_mins(1)) < wall);
    log.write_afresh(wall, |tell| tell(&charge(1, &[0, 9]))).unwrap();
    log.keep(&[charge(3, &[1])]);
    let (_, kept) = ChargeLog::open(folder.path(), wall).unwrap();
    assert_eq!(all(&kept), [(7, 1, vec![0, 9]), (7, 3, vec![1])]);
    assert_eq!(numbers(folder.path()).unwrap().len(), 2, "the old ones are gone, the new one is begun");
}

#[test]
fn what_a_power_cut_left_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = ChargeLog::open(folder.path(), Timestamp::EPOCH).unwrap();
    for key in 1..=9 {
        log.keep(&[charge(key, &[0, key])]);
    }
    let file = path(folder.path(), 1);
    let mut bytes = fs::read(&file).unwrap();
    let whole = bytes.clone();
    for cut in HEAD_BYTES..whole.len() {
        bytes.truncate(cut);
        let kept = KeptCharges { clock: Timestamp::EPOCH, contents: vec![bytes[HEAD_BYTES..].to_vec()] };
        assert_eq!(all(&kept).len(), (cut - HEAD_BYTES) / 40, "cut at {cut}");
        bytes.clone_from(&whole);
    }
    for broken in HEAD_BYTES..whole.len() {
        bytes[broken] ^= 0x10;
        let kept = KeptCharges { clock: Timestamp::EPOCH, contents: vec![bytes[HEAD_BYTES..].to_vec()] };
        assert_eq!(all(&kept).len(), 8, "only the record with the broken byte {broken}");
        bytes.clone_from(&whole);
    }
}

#[test]
fn what_a_full_disk_left_of_a_record_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = ChargeLog::open(folder.path(), Timestamp::EPOCH).unwrap();
    log.keep(&[charge(1, &[0, 1])]);
    let record = encode(&charge(2, &[0, 2]), &mut [0; RECORD_BYTES_MAX]).to_vec();
    for cut in 1..record.len() {
        (&log.current().file).write_all(&record[..cut]).unwrap();
        log.keep(&[charge(3, &[0, cut as u64])]);
    }
    let (_, kept) = ChargeLog::open(folder.path(), Timestamp::EPOCH).unwrap();
    let thirds = (1..record.len()).map(|cut| (7, 3, vec![0, cut as u64]));
    assert_eq!(all(&kept), core::iter::once((7, 1, vec![0, 1])).chain(thirds).collect::<Vec<_>>());
}

#[test]
fn what_many_keep_at_once_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = ChargeLog::open(folder.path(), Timestamp::EPOCH).unwrap();
    std::thread::scope(|scope| {
        for key in 0..8 {
            let (log, folder) = (&log, &folder);
            scope.spawn(move || {
                for number in 0..500 {
                    log.keep(&[charge(key, &[number, 0, 0]), charge(key, &[number, 1])]);
                    if number % 100 == 99 && key == 0 {
                        // The others' are in the old file, which the test keeps, or in the new one.
                        fs::hard_link(
                            path(folder.path(), log.current().number),
                            folder.path().join(format!("old.{number}")),
                        )
                        .unwrap();
                        log.write_afresh(Timestamp::EPOCH, |_| {}).unwrap();
                    }
                }
            });
        }
    });
    let mut read = Vec::new();
    for file in fs::read_dir(folder.path()).unwrap() {
        let content = fs::read(file.unwrap().path()).unwrap().split_off(HEAD_BYTES);
        let kept = KeptCharges { clock: Timestamp::EPOCH, contents: vec![content] };
        assert_eq!(kept.read(|charge| read.push((charge.key, charge.words[0], charge.words[1]))), 0);
    }
    read.sort_unstable();
    let wanted = (0..8).flat_map(|key| (0..500).flat_map(move |number| [(key, number, 0), (key, number, 1)]));
    assert_eq!(read, wanted.collect::<Vec<_>>());
    assert_eq!(log.failed(), 0);
}

#[test]
fn the_clock_runs_on_only_on_the_same_start_of_the_machine() {
    let boot = |identity: u8, uptime_ms| Boot { identity: [identity; 32], uptime_ms };
    let head = boot(b'a', 1000).head(Timestamp::from_millis(50_000));
    assert_eq!(boot(b'a', 4000).resume(&head), Some(Timestamp::from_millis(52_990)), "never ahead of the truth");
    assert_eq!(boot(b'a', 900).resume(&head), Some(Timestamp::from_millis(50_000)));
    assert_eq!(boot(b'b', 4000).resume(&head), None);
    assert_eq!(boot(0, 4000).resume(&head), None);
}
