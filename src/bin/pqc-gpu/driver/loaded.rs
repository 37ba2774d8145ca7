//! `pqc-gpu driver inspect --loaded`: the GPU drivers of this machine, as kernel and file system tell of them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use pqc_gpu_driver::attest::{DriverModule, kernel_module::MAX_MODULE_BYTES};
use serde::Serialize;

use super::{
    inspect::{self, Module, line},
    userland::{self, Library},
};
use crate::{failure::Failure, files, output};

/// The modules that drive GPUs. Others whose name begins with nvidia are listed where they are loaded.
const DRIVERS: [&str; 9] =
    ["nvidia", "nvidia_modeset", "nvidia_uvm", "nvidia_drm", "nvidia_peermem", "amdgpu", "i915", "xe", "nouveau"];

/// /proc/modules has 100 bytes a module, modules.dep some hundred.
const LIST_BYTES: u64 = 64 << 20;
/// A distribution's kernel has some 5000 modules.
const MAX_FILES: usize = 200_000;

#[derive(Serialize)]
struct Machine {
    kernel: Option<String>,
    modules: Vec<Driver>,
    libraries: Vec<Library>,
    /// Modules and libraries of which nothing was found.
    absent: Vec<String>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Driver {
    name: String,
    state: &'static str,
    loaded: Option<Loaded>,
    /// Where modprobe would take it from now.
    path: Option<String>,
    file: Option<Module>,
    unreadable: Option<String>,
    /// Whether the loaded module and the file have the same srcversion; null where one has none.
    same_srcversion: Option<bool>,
}

/// What the kernel says of a module that it runs.
#[derive(Serialize)]
struct Loaded {
    size: Option<u64>,
    version: Option<String>,
    srcversion: Option<String>,
    taint: Option<String>,
}

pub(super) fn list(root: &Path, json: bool) -> Result<(), Failure> {
    let machine = Machine::look(root);
    if json {
        output::json(&machine)?
    } else {
        output::lines(machine.lines())?
    }
    output::note(
        "a module that is loaded is not the file that lies there now: the kernel keeps no digest of what it was given",
    );
    Ok(())
}

impl Machine {
    fn look(root: &Path) -> Self {
        let mut notes = Vec::new();
        let kernel = text(&root.join("proc/sys/kernel/osrelease"));
        // A name that is a path would lead elsewhere.
        let folder = kernel.as_ref().filter(|kernel| !kernel.contains('/') && *kernel != "..");
        let folder = folder.map(|kernel| root.join("lib/modules").join(kernel)).filter(|folder| folder.is_dir());
        if folder.is_none() {
            notes.push(match &kernel {
                Some(kernel) => format!("there is no /lib/modules/{kernel}, so no module files are listed"),
                None => "there is no /proc/sys/kernel/osrelease: this is not Linux, or /proc is not mounted".into(),
            });
        }
        let loaded = proc_modules(root).unwrap_or_else(|| {
            notes.push("there is no /proc/modules: this kernel loads no modules, or does not show them".into());
            BTreeMap::new()
        });
        let more = loaded.keys().map(String::as_str);
        let more = more.filter(|name| name.starts_with("nvidia") && !DRIVERS.contains(name));
        let names: Vec<&str> = DRIVERS.into_iter().chain(more).collect();
        let mut paths = folder.as_ref().map(|folder| module_files(folder, &names, &mut notes)).unwrap_or_default();

        let (mut modules, mut absent) = (Vec::new(), Vec::new());
        for name in names {
            match Driver::look(root, name, loaded.get(name).copied(), paths.remove(name)) {
                Some(driver) => modules.push(driver),
                None => absent.push(name.to_owned()),
            }
        }
        let libraries = userland::find(root, &mut notes);
        absent.extend(userland::absent(&libraries));
        Machine { kernel, modules, libraries, absent, notes }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![line("kernel", self.kernel.as_deref().unwrap_or("unknown"))];
        for driver in &self.modules {
            lines.push(String::new());
            lines.extend(driver.lines());
        }
        for library in &self.libraries {
            lines.push(String::new());
            lines.extend(library.lines());
        }
        lines.push(String::new());
        lines.push(line("absent", &if self.absent.is_empty() { "none".into() } else { self.absent.join(", ") }));
        lines.extend(self.notes.iter().map(|note| line("note", note)));
        lines
    }
}

impl Driver {
    /// None if the machine has nothing of it.
    fn look(root: &Path, name: &str, size: Option<Option<u64>>, path: Option<PathBuf>) -> Option<Self> {
        let sys = root.join("sys/module").join(name);
        let attribute = |what: &str| text(&sys.join(what)).filter(|text| !text.is_empty());
        // What is built in has no initstate and no line in /proc/modules.
        let state = match size {
            Some(_) => "loaded",
            None if sys.is_dir() && !sys.join("initstate").exists() => "built in",
            None if path.is_some() => "not loaded",
            None => return None,
        };
        let loaded = (state != "not loaded").then(|| Loaded {
            size: size.flatten(),
            version: attribute("version"),
            srcversion: attribute("srcversion"),
            taint: attribute("taint"),
        });
        let (mut file, mut unreadable) = (None, None);
        if let Some(path) = &path {
            match read(path) {
                Ok(module) => file = Some(module),
                Err(failure) => unreadable = Some(failure.to_string()),
            }
        }
        let versions = (
            loaded.as_ref().and_then(|loaded| loaded.srcversion.as_ref()),
            file.as_ref().and_then(|file| file.srcversion.as_ref()),
        );
        let same_srcversion = match versions {
            (Some(loaded), Some(file)) => Some(loaded == file),
            _ => None,
        };
        let path = path.map(|path| userland::within(root, &path));
        Some(Driver { name: name.into(), state, loaded, path, file, unreadable, same_srcversion })
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![line("module", &self.name), line("state", self.state)];
        if let Some(Loaded { size, version, srcversion, taint }) = &self.loaded {
            let size = size.map(|size| size.to_string());
            let told = [
                ("loaded size", &size),
                ("loaded version", version),
                ("loaded srcversion", srcversion),
                ("taint", taint),
            ];
            lines.extend(told.iter().filter_map(|(what, value)| Some(line(what, value.as_ref()?))));
        }
        lines.push(line("file", self.path.as_deref().unwrap_or("none found")));
        lines.extend(self.unreadable.iter().map(|why| line("unreadable", why)));
        // The name is the one above.
        lines.extend(self.file.iter().flat_map(|file| file.lines().into_iter().skip(1)));
        match self.same_srcversion {
            Some(false) => lines.push(line("note", "the loaded module is of another source than the file")),
            Some(true) => lines.push(line("note", "the loaded module and the file name the same source")),
            None => {}
        }
        lines
    }
}

fn read(path: &Path) -> Result<Module, Failure> {
    let bytes = files::read(path, MAX_MODULE_BYTES)?;
    let module = inspect::read(path, &bytes)?;
    Ok(Module::of(DriverModule::hash_module_bytes(&bytes), &module))
}

/// /proc/modules: name, size, references, users, state, address. None if there is none.
fn proc_modules(root: &Path) -> Option<BTreeMap<String, Option<u64>>> {
    let text = text(&root.join("proc/modules"))?;
    let fields = text.lines().map(|line| line.split(' '));
    let entry = |mut fields: std::str::Split<char>| {
        let name = fields.next()?.to_owned();
        Some((name, fields.next().and_then(|size| size.parse().ok())))
    };
    Some(fields.filter_map(entry).collect())
}

/// Where modules lie: by modules.dep, which modprobe goes by, and where depmod has not run by looking everywhere.
fn module_files(folder: &Path, names: &[&str], notes: &mut Vec<String>) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut take = |path: PathBuf| {
        let name = path.file_name().and_then(|name| module_name(name.to_str()?));
        if let Some(name) = name.filter(|name| names.contains(&name.as_str())) {
            found.entry(name).or_insert(path);
        }
    };
    if let Some(list) = text(&folder.join("modules.dep")) {
        list.lines().filter_map(|line| line.split_once(':')).for_each(|(path, _)| take(folder.join(path)));
        return found;
    }
    notes.push("there is no modules.dep (depmod writes it), so the files listed are the first found by name".into());
    let (mut folders, mut seen) = (vec![folder.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(|entry| entry.file_name());
        for entry in entries {
            seen += 1;
            if seen > MAX_FILES {
                notes.push(format!("stopped looking for module files after {MAX_FILES}"));
                return found;
            }
            // Links to directories are not followed: build and source lead out, others round in circles.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => take(entry.path()),
                Err(_) => {}
            }
        }
    }
    found
}

/// The name a module file is loaded under: without its ending, with underscores.
fn module_name(file: &str) -> Option<String> {
    let plain = [".gz", ".xz", ".zst"].iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(file);
    Some(plain.strip_suffix(".ko")?.replace('-', "_"))
}

/// A text file's content without white space around it; None if it cannot be read.
fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LIST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}
