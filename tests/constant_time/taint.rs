//! The pass: which values of a shader depend on secrets, and where that shows.
//!
//! Every value of naga's IR is public or secret; what is computed from something secret is secret. Memory is secret as a
//! whole, a variable at a time, as soon as something secret is stored anywhere in it, by any invocation and in whatever
//! order: only the elements that [`Holds::SecretBut`] names are told apart, and only at constant indices. A function is
//! examined once for every combination of public and secret arguments that it is called with. All this only ever makes
//! more secret, so going round until nothing changes ends, and finds everything.
//!
//! Since a branch on a secret is itself a leak, what is computed under one need not be followed.

use std::collections::HashMap;

use naga::{
    AddressSpace, Function, GlobalVariable, Handle, LocalVariable, Module, ShaderStage, Span,
    valid::{Capabilities, ModuleInfo, ValidationFlags, Validator},
};

use crate::{
    report::{Kind, Report},
    subjects::{Holds, Subject},
    walk::Frame,
};

/// What the pass knows of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Public,
    Secret,
    Pointer(Place),
}

impl Value {
    pub(crate) fn of(secret: bool) -> Value {
        if secret { Value::Secret } else { Value::Public }
    }
}

/// Where a pointer points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) root: Root,
    pub(crate) path: Path,
    /// Whether a secret decided where.
    pub(crate) secret: bool,
}

impl Place {
    pub(crate) fn whole(root: Root) -> Place {
        Place { root, path: Path::Whole, secret: false }
    }
}

/// The variable that a place lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Root {
    Global(Handle<GlobalVariable>),
    Local(Handle<LocalVariable>),
    /// A variable of a caller, reached through an argument: the first that is such a pointer, the second…
    Outer(usize),
}

/// What of its variable a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Path {
    Whole,
    /// The element, or within the element, of this number.
    Element(u32),
    /// Any of them.
    Unknown,
}

/// A global variable: what it holds, and what the shader has made of that.
struct Global {
    holds: Holds,
    secret: bool,
    /// Whether the elements that `holds` excepts have become secret.
    excepted_secret: bool,
}

impl Global {
    fn excepts(&self, path: Path) -> bool {
        matches!((self.holds, path), (Holds::SecretBut(elements), Path::Element(i)) if elements.contains(&i))
    }
}

/// What a call does: whether its result is secret, and the variables of its callers afterwards.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    pub(crate) result: bool,
    pub(crate) outer: Vec<bool>,
}

/// A function, None for the entry point, and what it is called with.
type Call = (Option<Handle<Function>>, Vec<Value>, Vec<bool>);

pub(crate) struct Pass<'m> {
    pub(crate) module: &'m Module,
    pub(crate) subject: &'m Subject,
    info: &'m ModuleInfo,
    globals: Vec<Global>,
    summaries: HashMap<Call, Summary>,
    report: Report,
    /// Whether a global variable has become secret since the entry point was last entered.
    grown: bool,
}

/// Examines a shader. Errors where naga refuses it, or the table of its bindings is not right.
pub(crate) fn examine(subject: &Subject) -> Result<Report, String> {
    let source = &subject.source;
    let module = naga::front::wgsl::parse_str(source).map_err(|error| error.emit_to_string(source))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::SHADER_INT64)
        .validate(&module)
        .map_err(|error| error.emit_to_string(source))?;
    let [entry] = module.entry_points.as_slice() else {
        return Err(format!("{} entry points instead of one", module.entry_points.len()));
    };
    if entry.stage != ShaderStage::Compute {
        return Err(format!("{} is not a compute shader", entry.name));
    }
    let mut pass = Pass {
        module: &module,
        subject,
        info: &info,
        globals: globals(&module, subject)?,
        summaries: HashMap::new(),
        report: Report::default(),
        grown: true,
    };
    while std::mem::take(&mut pass.grown) {
        pass.summaries.clear();
        // A compute shader's arguments are built-in: numbers of invocations and workgroups.
        pass.summary(None, vec![Value::Public; entry.function.arguments.len()], Vec::new());
    }
    Ok(pass.report)
}

/// The global variables by their places in naga's arena, the table held against them.
fn globals(module: &Module, subject: &Subject) -> Result<Vec<Global>, String> {
    let mut rows = subject.bindings.clone();
    let mut globals = Vec::new();
    for (_, variable) in module.global_variables.iter() {
        let name = variable.name.as_deref().unwrap_or_default();
        let holds = match variable.space {
            AddressSpace::WorkGroup | AddressSpace::Private => Holds::Sealed,
            AddressSpace::Uniform | AddressSpace::Storage { .. } => {
                let row = rows.iter().position(|(row, _)| *row == name);
                rows.remove(row.ok_or_else(|| format!("the table does not say what `{name}` holds"))?).1
            }
            space => return Err(format!("`{name}` is in {space:?}, which the pass does not know")),
        };
        let secret = matches!(holds, Holds::Secret | Holds::SecretBut(_));
        globals.push(Global { holds, secret, excepted_secret: false });
    }
    match rows.first() {
        Some((name, _)) => Err(format!("the table names `{name}`, which is not bound")),
        None => Ok(globals),
    }
}

impl<'m> Pass<'m> {
    /// What a function does when called so.
    pub(crate) fn summary(
        &mut self,
        function: Option<Handle<Function>>,
        arguments: Vec<Value>,
        outer: Vec<bool>,
    ) -> Summary {
        let call = (function, arguments, outer);
        if let Some(known) = self.summaries.get(&call) {
            return known.clone();
        }
        // WGSL has no recursion, and naga has checked it.
        let (name, body, info) = match function {
            Some(handle) => {
                let body = &self.module.functions[handle];
                (body.name.as_deref().unwrap_or_default(), body, &self.info[handle])
            }
            None => {
                let entry = &self.module.entry_points[0];
                (entry.name.as_str(), &entry.function, self.info.get_entry_point(0))
            }
        };
        let summary = Frame::new(self, name, body, info, &call.1, &call.2).run();
        self.summaries.insert(call, summary.clone());
        summary
    }

    pub(crate) fn leak(&mut self, kind: Kind, function: &str, at: Span) {
        self.report.leak(&self.subject.source, kind, function, at);
    }

    pub(crate) fn declassify(&mut self, function: &str, at: Span) {
        self.report.declassify(&self.subject.source, function, at);
    }

    /// Whether what lies there is secret.
    pub(crate) fn content(&self, variable: Handle<GlobalVariable>, path: Path) -> bool {
        let global = &self.globals[variable.index()];
        if global.excepts(path) { global.excepted_secret } else { global.secret || global.excepted_secret }
    }

    /// Something secret is stored there. Gives back whether it may be.
    pub(crate) fn store_secret(&mut self, variable: Handle<GlobalVariable>, path: Path) -> bool {
        let global = &mut self.globals[variable.index()];
        let excepted = global.excepts(path);
        let before = (global.secret, global.excepted_secret);
        global.secret |= !excepted;
        // An unknown element may be an excepted one, as far as this pass can tell.
        global.excepted_secret |= excepted || !matches!(path, Path::Element(_));
        self.grown |= before != (global.secret, global.excepted_secret);
        !excepted && global.holds != Holds::Public
    }
}
