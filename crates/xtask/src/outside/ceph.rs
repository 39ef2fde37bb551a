//! Monitor, storage daemon and gateway, on the loopback interface.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::background::Background;
use crate::emulator::free_port;
use crate::run::{run_quietly, say};

/// How long each daemon may take to answer after its start. The gateway makes its pools first.
const PATIENCE: Duration = Duration::from_mins(2);

/// A user that exists only here.
const ACCESS_KEY: &str = "outside";
const SECRET_KEY: &str = "outside-secret";

/// A running Ceph. Dropping it stops the gateway first.
pub(super) struct Ceph {
    _gateway: Background,
    _storage: Background,
    _monitor: Background,
    port: u16,
}

/// Its folder, and what runs programs on it.
struct Node<'a> {
    folder: &'a Path,
    monitor: u16,
    gateway: u16,
}

impl Ceph {
    /// Makes a new one in `folder` and starts it.
    ///
    /// # Errors
    /// When a daemon does not come up; the error names its log.
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let node = Node {
            folder,
            monitor: free_port()?,
            gateway: free_port()?,
        };
        say(&format!(
            "starting Ceph on 127.0.0.1:{} (half a minute)",
            node.gateway
        ));
        node.configure()?;
        let monitor = node.start_monitor()?;
        let storage = node.start_storage()?;
        let gateway = node.start_gateway()?;
        Ok(Self {
            _gateway: gateway,
            _storage: storage,
            _monitor: monitor,
            port: node.gateway,
        })
    }

    /// What the AWS SDKs need to talk to it, and to nothing else.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            // The name of its only zone group.
            ("AWS_REGION", "default"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            // Ceph 16 does not know checksums in trailers.
            ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
    }
}

impl Node<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program of Ceph's with this node's configuration.
    fn command(&self, program: &str) -> Command {
        // Debian has the daemons where only root looks.
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .env_remove("CEPH_ARGS")
            .arg("--conf")
            .arg(self.path("ceph.conf"));
        command
    }

    /// Starts a daemon, with its output in a file.
    fn daemon(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Background> {
        let log = File::create(self.path(&format!("{name}.out")))?;
        let mut command = self.command(name);
        command.arg("--foreground").args(arguments);
        Background::start(command.stdout(log.try_clone()?).stderr(log))
    }

    /// Waits until a daemon answers.
    fn wait(
        &self,
        daemon: &Background,
        name: &str,
        ready: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        let begin = Instant::now();
        while !ready() {
            if !daemon.is_alive() || begin.elapsed() > PATIENCE {
                let output = self.path(&format!("{name}.out"));
                let said = std::fs::read_to_string(output).unwrap_or_default();
                bail!("{name} does not answer; it said:\n{said}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn configure(&self) -> anyhow::Result<()> {
        let folder = self.folder.display();
        let Self {
            monitor, gateway, ..
        } = self;
        let text = format!(
            "[global]\n\
             fsid = {}\n\
             mon host = v1:127.0.0.1:{monitor}\n\
             {SETTINGS}\n\
             keyring = {folder}/keyring\n\
             mon data = {folder}/mon\n\
             osd data = {folder}/osd\n\
             rgw data = {folder}/rgw\n\
             run dir = {folder}\n\
             log file = {folder}/$name.log\n\
             admin socket = {folder}/$name.asok\n\
             rgw frontends = beast endpoint=127.0.0.1:{gateway}\n",
            uuid()?
        );
        std::fs::write(self.path("ceph.conf"), text).context("writing ceph.conf")?;
        for name in ["mon", "osd", "rgw"] {
            std::fs::create_dir(self.path(name))?;
        }
        let keyring = self.path("keyring");
        run_quietly(
            Command::new("ceph-authtool")
                .arg("--create-keyring")
                .arg(&keyring),
        )?;
        for (name, capabilities) in KEYS {
            let mut key = Command::new("ceph-authtool");
            key.arg(&keyring).args(["--gen-key", "--name", name]);
            for (daemon, allowed) in *capabilities {
                key.args(["--cap", daemon, allowed]);
            }
            run_quietly(&mut key)?;
        }
        Ok(())
    }

    fn start_monitor(&self) -> anyhow::Result<Background> {
        let address = format!("v1:127.0.0.1:{}", self.monitor);
        let map = self.path("monmap");
        run_quietly(
            Command::new("monmaptool")
                .args(["--create", "--addv", "a", &format!("[{address}]")])
                .arg(&map),
        )?;
        let mut make = self.command("ceph-mon");
        make.args(["--mkfs", "--id", "a", "--monmap"]).arg(&map);
        run_quietly(make.arg("--keyring").arg(self.path("keyring")))?;
        let daemon = self.daemon("ceph-mon", &["--id", "a", "--public-addr", &address])?;
        self.wait(&daemon, "ceph-mon", || self.ask("status").is_some())?;
        Ok(daemon)
    }

    fn start_storage(&self) -> anyhow::Result<Background> {
        let uuid = uuid()?;
        // The first one is number 0, whose key is there.
        run_quietly(self.command("ceph").args(["osd", "new", &uuid]))?;
        let mut make = self.command("ceph-osd");
        run_quietly(make.args(["--mkfs", "--id", "0", "--osd-uuid", &uuid]))?;
        let daemon = self.daemon("ceph-osd", &["--id", "0"])?;
        self.wait(&daemon, "ceph-osd", || {
            self.ask("osd stat")
                .is_some_and(|told| told.contains("1 up"))
        })?;
        Ok(daemon)
    }

    fn start_gateway(&self) -> anyhow::Result<Background> {
        let daemon = self.daemon("radosgw", &["--name", "client.rgw"])?;
        let url = format!("http://127.0.0.1:{}", self.gateway);
        self.wait(&daemon, "radosgw", || ureq::get(&url).call().is_ok())?;
        let mut user = self.command("radosgw-admin");
        user.args(["user", "create", "--uid=outside", "--display-name=outside"]);
        user.arg(format!("--access-key={ACCESS_KEY}"));
        run_quietly(user.arg(format!("--secret-key={SECRET_KEY}")))?;
        Ok(daemon)
    }

    /// What the monitor answers; `None` if it does not.
    fn ask(&self, words: &str) -> Option<String> {
        let mut ask = self.command("ceph");
        ask.args(["--connect-timeout", "5"]).args(words.split(' '));
        let answer = ask.output().ok().filter(|a| a.status.success())?;
        String::from_utf8(answer.stdout).ok()
    }
}

/// One node that keeps one copy and never waits for others. The storage is one sparse file of 8 GiB.
const SETTINGS: &str = "\
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd memory target = 939524096
bluestore block size = 8589934592
mon allow pool size one = true
mon data avail crit = 1
rgw num rados handles = 1
rgw enable usage log = false";

/// Who has a key, and what each may ask which kind of daemon.
const KEYS: &[(&str, &[(&str, &str)])] = &[
    ("mon.", &[("mon", "allow *")]),
    ("client.admin", &[("mon", "allow *"), ("osd", "allow *")]),
    ("osd.0", &[("mon", "allow profile osd"), ("osd", "allow *")]),
    ("client.rgw", &[("mon", "allow rwx"), ("osd", "allow rwx")]),
];

fn uuid() -> anyhow::Result<String> {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid");
    Ok(uuid.context("asking Linux for a UUID")?.trim().to_owned())
}
