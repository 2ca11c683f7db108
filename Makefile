# `make run` and `make test` are all that a newcomer needs; the others are for those who work here.
# Where `make install` puts things; DESTDIR is for those who build packages.
PREFIX = /usr/local

.PHONY: run install test packages lint unit docs bench bench-bulk soak trixie sim fuzz helpers clean

# Builds and starts a node that needs nothing installed and no root.
run:
	cargo build --release --locked --package ratter
	./target/release/ratter run

# The program, what mail servers run of it, and the systemd unit; a configuration only where there is none (docs/install.md).
install: helpers
	cargo build --release --locked --package ratter
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)/etc/ratter
	install -m 755 target/release/ratter target/release/ratter-checkpassword target/release/ratter-pam \
		target/release/ratter-postlogin $(DESTDIR)$(PREFIX)/bin
	sed 's|/usr/local/bin|$(PREFIX)/bin|' contrib/systemd/ratter.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/ratter.service
	[ -e $(DESTDIR)/etc/ratter/ratter.toml ] || install -m 644 contrib/ratter.toml $(DESTDIR)/etc/ratter/ratter.toml

# Installs what the tests need and runs everything.
test: packages lint unit docs

# Debian packages of the real servers that the tests speak with.
packages:
	sh tests/install-packages.sh

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked --quiet -- -D warnings

# The binary is built first: the black-box tests start it.
unit:
	cargo build --workspace --all-features --bins --locked --quiet
	cargo test --workspace --all-features --locked --quiet -- --format=terse

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps --locked --quiet

# Figures of docs/performance.md, beside the peers in the same run.
bench:
	sh bench/run.sh

# Ten million addresses in a running node: RATTER_SHARED is the folder with the load generator.
bench-bulk:
	cargo build --release --locked --quiet --package ratter
	cargo build --release --locked --quiet --package ratter-dnsbl --features io --example loaded
	python3 bench/bulk.py

# The properties with many more cases than the tests run, in optimized code.
soak:
	RATTER_SOAK=1 RATTER_MODEL_EVENTS=100000000 PROPTEST_CASES=20000 \
		cargo test --release --workspace --all-features --locked -- --nocapture

# The tests with the real Dovecot 2.4 alone, which is loaded into FOLDER where it is not there (`make unit` does it by itself).
FOLDER = target/trixie
trixie:
	sh tests/trixie.sh $(FOLDER)
	cargo build --workspace --all-features --bins --locked --quiet
	RATTER_TRIXIE=$(abspath $(FOLDER)) cargo test --locked --package ratter-tests --test dovecot24_live

# Thieves and 100,000 days of honest people in virtual time: prints whom they reach, and who is locked.
sim:
	RATTER_SOAK=1 cargo test --locked --quiet --package ratter-sim -- --nocapture --test-threads 1

# Everything that reads bytes from outside, led by what the code does: an hour in all (`sh fuzz/run.sh 600` for less).
fuzz:
	sh fuzz/run.sh

# The helpers that mail servers run once per login, linked statically: they start before a dynamic linker would be done.
helpers:
	for helper in ratter-checkpassword ratter-pam ratter-postlogin; do \
		cargo rustc --release --locked --package ratter-checkpassword --bin $$helper -- -C target-feature=+crt-static \
			|| exit 1; \
	done

clean:
	cargo clean
	rm -rf state
