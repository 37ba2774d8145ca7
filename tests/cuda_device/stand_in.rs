//! The stand-in driver of tests/cuda_driver: built with the host's C++ compiler, and given to a child process in which tests of
//! this program run again. What they tell is told of the stand-in alone.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use pqc_gpu_driver::kernel::cuda::Text;

/// The folder with the libraries, made once for each state of their sources.
fn build() -> Result<PathBuf, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda_driver");
    let mut state = DefaultHasher::new();
    for name in ["driver.cpp", "kernels.h", "memory.h", "nvml.cpp", "nvrtc.cpp", "queue.h"] {
        fs::read(sources.join(name)).expect("is there").hash(&mut state);
    }
    Text::ALL.iter().for_each(|text| text.source().hash(&mut state));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cuda-stand-in-{:016x}", state.finish()));
    if folder.is_dir() {
        return Ok(folder);
    }
    let building = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
    let place = building.path();
    compile(&sources.join("driver.cpp"), &place.join("libcuda.so"), &["-Wl,-soname,libcuda.so.1", "-ldl"])?;
    compile(&sources.join("nvrtc.cpp"), &place.join("libnvrtc.so"), &[])?;
    compile(&sources.join("nvml.cpp"), &place.join("libnvidia-ml.so.1"), &[])?;
    for text in Text::ALL {
        let source = place.join(format!("{}.cpp", text.name()));
        fs::write(&source, text.source()).map_err(|error| error.to_string())?;
        compile(&source, &place.join(text.name()), &["-DPQC_HOST", "-Wno-unknown-pragmas"])?;
    }
    // Where another process was quicker, its is as good.
    match fs::rename(building.keep(), &folder) {
        Err(error) if !folder.is_dir() => Err(error.to_string()),
        _ => Ok(folder),
    }
}

fn compile(source: &Path, library: &Path, more: &[&str]) -> Result<(), String> {
    let compiler = env::var("CXX").unwrap_or_else(|_| "c++".into());
    let built = Command::new(&compiler)
        .args(["-std=c++17", "-O2", "-shared", "-fPIC", "-pthread", "-o"])
        .args([library, source])
        .args(more)
        .output()
        .map_err(|error| format!("{compiler} cannot be run ({error}): install a C++ compiler"))?;
    assert!(built.status.success(), "{}: {}", source.display(), String::from_utf8_lossy(&built.stderr));
    Ok(())
}

/// A program, as this one itself, with the stand-in in the place of the driver.
pub(crate) fn with_stand_in(program: &Path) -> Option<Command> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    if !cfg!(target_os = "linux") {
        println!("skipped: the stand-in driver is for Linux");
        return None;
    }
    let folder = match BUILT.get_or_init(build) {
        Ok(folder) => folder,
        Err(why) if env::var_os("PQC_GPU_REQUIRE_ALL").is_none() => {
            println!("skipped: {why}");
            return None;
        }
        Err(why) => panic!("PQC_GPU_REQUIRE_ALL is set, and {why}"),
    };
    let mut paths: Vec<PathBuf> = vec![folder.clone()];
    paths.extend(env::var_os("LD_LIBRARY_PATH").iter().flat_map(env::split_paths));
    let mut child = Command::new(program);
    child
        .env("LD_LIBRARY_PATH", env::join_paths(paths).expect("paths"))
        .env("PQC_STAND_IN_KERNELS", folder)
        .env("PQC_GPU_REQUIRE_DEVICES", "1");
    Some(child)
}

/// Runs the tests whose names begin like this, with the environment: at least so many, and none may fail or be skipped.
pub(crate) fn run(begin: &str, least: usize, threads: usize, environment: &[(&str, &str)]) {
    let Some(mut child) = with_stand_in(&env::current_exe().expect("this program")) else { return };
    child.args([begin, &format!("--test-threads={threads}"), "--show-output"]);
    child.envs(environment.iter().copied());
    let output = child.output().expect("runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = out.lines().filter(|line| line.starts_with("test ") && line.ends_with("... ok")).count();
    assert!(output.status.success(), "{begin} with {environment:?}: {}\n{out}\n{err}", output.status);
    assert!(passed >= least, "{begin}: {passed} of {least} ran\n{out}");
    assert!(!out.contains("skipped: "), "{begin}: skipped\n{out}");
}

/// Whether this process has the stand-in for its driver.
pub(crate) fn is_here() -> bool {
    env::var_os("PQC_STAND_IN_KERNELS").is_some()
}
