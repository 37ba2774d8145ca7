//! One function under one combination of arguments: its statements.

use std::collections::HashSet;

use naga::{AtomicFunction, Block, Expression, Function, GatherMode, Handle, Span, Statement, valid::FunctionInfo};

use crate::{
    blocks::{blocks, continues_loop, leaves_loop},
    operators::hands_on_its_argument,
    report::Kind,
    taint::{Pass, Place, Root, Summary, Value},
};

/// The one function that makes something public of a secret.
const DECLASSIFY: &str = "declassify";

pub(crate) struct Frame<'p, 'm> {
    pub(crate) pass: &'p mut Pass<'m>,
    pub(crate) name: &'m str,
    pub(crate) function: &'m Function,
    pub(crate) info: &'m FunctionInfo,
    pub(crate) arguments: &'p [Value],
    /// What is known of each expression, once it is reached.
    pub(crate) values: Vec<Option<Value>>,
    /// Expressions that `declassify` is called with.
    pub(crate) declassified: HashSet<Handle<Expression>>,
    locals: Vec<bool>,
    outer: Vec<bool>,
    result: bool,
    grown: bool,
}

impl<'p, 'm> Frame<'p, 'm> {
    pub(crate) fn new(
        pass: &'p mut Pass<'m>,
        name: &'m str,
        function: &'m Function,
        info: &'m FunctionInfo,
        arguments: &'p [Value],
        outer: &[bool],
    ) -> Self {
        Frame {
            pass,
            name,
            function,
            info,
            arguments,
            values: vec![None; function.expressions.len()],
            declassified: HashSet::new(),
            // Their initial values are constants.
            locals: vec![false; function.local_variables.len()],
            outer: outer.to_vec(),
            result: false,
            grown: true,
        }
    }

    pub(crate) fn run(mut self) -> Summary {
        self.find_declassified(&self.function.body);
        while std::mem::take(&mut self.grown) {
            self.block(&self.function.body, false);
        }
        Summary { result: self.result, outer: self.outer }
    }

    fn block(&mut self, block: &'m Block, in_loop: bool) {
        for (statement, &at) in block.span_iter() {
            self.statement(statement, at, in_loop);
        }
    }

    fn statement(&mut self, statement: &'m Statement, at: Span, in_loop: bool) {
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    let value = self.evaluate(handle);
                    self.values[handle.index()] = Some(value);
                }
            }
            Statement::Block(body) => self.block(body, in_loop),
            Statement::If { condition, accept, reject } => {
                let leaves = in_loop && (leaves_loop(accept) || leaves_loop(reject));
                self.demand_public(*condition, if leaves { Kind::LoopBound } else { Kind::Branch });
                self.block(accept, in_loop);
                self.block(reject, in_loop);
            }
            Statement::Switch { selector, cases } => {
                let leaves = in_loop && cases.iter().any(|case| continues_loop(&case.body));
                self.demand_public(*selector, if leaves { Kind::LoopBound } else { Kind::Branch });
                cases.iter().for_each(|case| self.block(&case.body, in_loop));
            }
            Statement::Loop { body, continuing, break_if } => {
                self.block(body, true);
                self.block(continuing, true);
                if let Some(condition) = break_if {
                    self.demand_public(*condition, Kind::LoopBound);
                }
            }
            Statement::Return { value } => {
                if let Some(value) = value {
                    self.result |= self.secret(*value);
                }
            }
            // They are where they are whatever the data: what decides whether they are reached is a condition.
            Statement::Break | Statement::Continue | Statement::ControlBarrier(_) | Statement::MemoryBarrier(_) => {}
            Statement::Store { pointer, value } => {
                let secret = self.secret(*value);
                self.store(*pointer, secret, at);
            }
            Statement::Atomic { pointer, fun, value, result } => self.atomic(*pointer, fun, *value, *result, at),
            Statement::WorkGroupUniformLoad { pointer, result } => {
                let secret = self.load(*pointer);
                self.set(*result, secret);
            }
            Statement::Call { function, arguments, result } => self.call(*function, arguments, *result, at),
            Statement::SubgroupBallot { result, predicate } => {
                let secret = predicate.is_some_and(|predicate| self.secret(predicate));
                self.set(*result, secret);
            }
            Statement::SubgroupGather { mode, argument, result } => {
                match mode {
                    GatherMode::BroadcastFirst | GatherMode::QuadSwap(_) => {}
                    GatherMode::Broadcast(index)
                    | GatherMode::Shuffle(index)
                    | GatherMode::ShuffleDown(index)
                    | GatherMode::ShuffleUp(index)
                    | GatherMode::ShuffleXor(index)
                    | GatherMode::QuadBroadcast(index) => self.demand_public(*index, Kind::Address),
                }
                let secret = self.secret(*argument);
                self.set(*result, secret);
            }
            Statement::SubgroupCollectiveOperation { op: _, collective_op: _, argument, result } => {
                let secret = self.secret(*argument);
                self.arithmetic(*argument, secret, self.is_float(*argument));
                self.set(*result, secret);
            }
            Statement::Kill
            | Statement::ImageStore { .. }
            | Statement::ImageAtomic { .. }
            | Statement::RayQuery { .. }
            | Statement::RayPipelineFunction(_)
            | Statement::CooperativeStore { .. } => self.leak_at(Kind::Unproven, at),
        }
    }

    fn atomic(
        &mut self,
        pointer: Handle<Expression>,
        fun: &AtomicFunction,
        value: Handle<Expression>,
        result: Option<Handle<Expression>>,
        at: Span,
    ) {
        let mut secret = self.secret(value) | self.load(pointer);
        self.arithmetic(value, secret, self.is_float(value));
        match fun {
            AtomicFunction::Add
            | AtomicFunction::Subtract
            | AtomicFunction::And
            | AtomicFunction::ExclusiveOr
            | AtomicFunction::InclusiveOr
            | AtomicFunction::Min
            | AtomicFunction::Max
            | AtomicFunction::Exchange { compare: None } => {}
            // Whether it stores depends on the comparison.
            AtomicFunction::Exchange { compare: Some(compare) } => {
                secret |= self.secret(*compare);
                if secret {
                    self.leak_at(Kind::Branch, at);
                }
            }
        }
        self.store(pointer, secret, at);
        if let Some(result) = result {
            self.set(result, secret);
        }
    }

    fn call(
        &mut self,
        function: Handle<Function>,
        arguments: &[Handle<Expression>],
        result: Option<Handle<Expression>>,
        at: Span,
    ) {
        let callee = &self.pass.module.functions[function];
        if callee.name.as_deref() == Some(DECLASSIFY) {
            return self.declassify(callee, arguments, result, at);
        }
        // Variables of this function and of its callers, in the callee's numbers. Two arguments may point to one variable:
        // what the callee stores through either, the next round passes on in both.
        let mut roots = Vec::new();
        let mut passed = Vec::new();
        for &argument in arguments {
            passed.push(match self.value(argument) {
                Value::Pointer(place) if !matches!(place.root, Root::Global(_)) => {
                    roots.push(place.root);
                    Value::Pointer(Place { secret: place.secret, ..Place::whole(Root::Outer(roots.len() - 1)) })
                }
                value => value,
            });
        }
        let outer = roots.iter().map(|&root| self.content(Place::whole(root))).collect();
        let summary = self.pass.summary(Some(function), passed, outer);
        for (root, secret) in roots.into_iter().zip(summary.outer) {
            self.store_at(Place::whole(root), secret, at);
        }
        if let Some(result) = result {
            self.set(result, summary.result);
        }
    }

    /// A call of `declassify`, whose result is public if it is what it should be.
    fn declassify(
        &mut self,
        callee: &Function,
        arguments: &[Handle<Expression>],
        result: Option<Handle<Expression>>,
        at: Span,
    ) {
        self.pass.declassify(self.name, at);
        let one_bit = arguments.len() == 1 && self.is_one_bit(arguments[0]);
        let proper = one_bit && hands_on_its_argument(callee);
        if !proper {
            self.leak_at(Kind::Declassified, at);
        }
        let secret = !proper && arguments.iter().any(|&argument| self.secret(argument));
        if let Some(result) = result {
            self.set(result, secret);
        }
    }

    /// What is known of an expression that has been computed before.
    pub(crate) fn value(&mut self, handle: Handle<Expression>) -> Value {
        if self.values[handle.index()].is_none() && self.function.expressions[handle].needs_pre_emit() {
            self.values[handle.index()] = Some(self.evaluate(handle));
        }
        self.values[handle.index()].unwrap_or_else(|| {
            self.leak(Kind::Unproven, handle);
            Value::Secret
        })
    }

    /// Whether a value is secret. Pointers are no values, and nothing computes with them.
    pub(crate) fn secret(&mut self, handle: Handle<Expression>) -> bool {
        match self.value(handle) {
            Value::Public => false,
            Value::Secret => true,
            Value::Pointer(_) => {
                self.leak(Kind::Unproven, handle);
                true
            }
        }
    }

    pub(crate) fn demand_public(&mut self, handle: Handle<Expression>, otherwise: Kind) {
        if self.secret(handle) {
            self.leak(otherwise, handle);
        }
    }

    pub(crate) fn load(&mut self, pointer: Handle<Expression>) -> bool {
        match self.value(pointer) {
            Value::Pointer(place) => self.content(place),
            Value::Public | Value::Secret => {
                self.leak(Kind::Unproven, pointer);
                true
            }
        }
    }

    fn content(&self, place: Place) -> bool {
        place.secret
            || match place.root {
                Root::Global(variable) => self.pass.content(variable, place.path),
                Root::Local(variable) => self.locals[variable.index()],
                Root::Outer(number) => self.outer[number],
            }
    }

    fn store(&mut self, pointer: Handle<Expression>, secret: bool, at: Span) {
        match self.value(pointer) {
            Value::Pointer(place) => self.store_at(place, secret, at),
            Value::Public | Value::Secret => self.leak(Kind::Unproven, pointer),
        }
    }

    fn store_at(&mut self, place: Place, secret: bool, at: Span) {
        if !secret && !place.secret {
            return;
        }
        let variable = match place.root {
            Root::Global(variable) => {
                if !self.pass.store_secret(variable, place.path) {
                    self.leak_at(Kind::Stored, at);
                }
                return;
            }
            Root::Local(variable) => &mut self.locals[variable.index()],
            Root::Outer(number) => &mut self.outer[number],
        };
        self.grown |= !*variable;
        *variable = true;
    }

    fn set(&mut self, result: Handle<Expression>, secret: bool) {
        self.values[result.index()] = Some(Value::of(secret));
    }

    pub(crate) fn leak(&mut self, kind: Kind, expression: Handle<Expression>) {
        self.leak_at(kind, self.function.expressions.get_span(expression));
    }

    fn leak_at(&mut self, kind: Kind, at: Span) {
        self.pass.leak(kind, self.name, at);
    }

    fn find_declassified(&mut self, block: &'m Block) {
        for statement in block.iter() {
            if let Statement::Call { function, arguments, .. } = statement
                && self.pass.module.functions[*function].name.as_deref() == Some(DECLASSIFY)
            {
                self.declassified.extend(arguments);
            }
            blocks(statement).into_iter().for_each(|block| self.find_declassified(block));
        }
    }
}
