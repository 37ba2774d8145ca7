//! What is computed of secrets: which expressions are secret, and which operations on secrets leak them.

use naga::{
    BinaryOperator, Expression, Function, Handle, MathFunction, RelationalFunction, Scalar, ScalarKind, Statement,
    TypeInner, UnaryOperator,
};

use crate::{
    report::Kind,
    subjects::Floats,
    taint::{Path, Place, Root, Value},
    walk::Frame,
};

impl Frame<'_, '_> {
    pub(crate) fn evaluate(&mut self, handle: Handle<Expression>) -> Value {
        use Expression as E;
        let secret = match &self.function.expressions[handle] {
            E::Literal(_) | E::Constant(_) | E::Override(_) | E::ZeroValue(_) => false,
            E::FunctionArgument(number) => return self.arguments[*number as usize],
            E::GlobalVariable(variable) => return Value::Pointer(Place::whole(Root::Global(*variable))),
            E::LocalVariable(variable) => return Value::Pointer(Place::whole(Root::Local(*variable))),
            E::Compose { ty: _, components } => {
                components.iter().fold(false, |secret, &component| secret | self.secret(component))
            }
            E::Access { base, index } => {
                let by_secret = self.secret(*index);
                if by_secret {
                    self.leak(Kind::Address, handle);
                }
                match self.value(*base) {
                    Value::Pointer(place) => {
                        let path = if let Path::Whole = place.path { Path::Unknown } else { place.path };
                        return Value::Pointer(Place { path, secret: place.secret | by_secret, ..place });
                    }
                    Value::Public => by_secret,
                    Value::Secret => true,
                }
            }
            E::AccessIndex { base, index } => match self.value(*base) {
                Value::Pointer(place) => {
                    let path = if let Path::Whole = place.path { Path::Element(*index) } else { place.path };
                    return Value::Pointer(Place { path, ..place });
                }
                value => return value,
            },
            E::Splat { size: _, value } => self.secret(*value),
            E::Swizzle { size: _, vector, pattern: _ } => self.secret(*vector),
            E::Load { pointer } => self.load(*pointer),
            // How long a buffer is, is no secret, wherever it is.
            E::ArrayLength(_) => false,
            E::Unary { op, expr } => {
                let secret = self.secret(*expr);
                match op {
                    UnaryOperator::Negate => self.arithmetic(handle, secret, self.is_float(*expr)),
                    UnaryOperator::LogicalNot | UnaryOperator::BitwiseNot => {}
                }
                secret
            }
            E::Binary { op, left, right } => self.binary(handle, *op, *left, *right),
            E::Select { condition, accept, reject } => {
                let by_secret = self.secret(*condition);
                if by_secret {
                    self.leak(Kind::Select, handle);
                }
                by_secret | self.secret(*accept) | self.secret(*reject)
            }
            E::Relational { fun, argument } => {
                let secret = self.secret(*argument);
                match fun {
                    RelationalFunction::All | RelationalFunction::Any => {}
                    RelationalFunction::IsNan | RelationalFunction::IsInf => self.unproven(handle, secret),
                }
                secret
            }
            E::Math { fun, arg, arg1, arg2, arg3 } => {
                let arguments: Vec<_> = [Some(*arg), *arg1, *arg2, *arg3].into_iter().flatten().collect();
                self.math(handle, *fun, &arguments)
            }
            E::As { expr, kind, convert } => {
                let secret = self.secret(*expr);
                let from = self.kind(*expr);
                // A bit pattern taken for another type is no operation.
                if secret && convert.is_some() {
                    match (from, kind) {
                        (Some(ScalarKind::Bool), ScalarKind::Bool) => {}
                        // The bit that `declassify` tells everyone may as well be told by a branch.
                        (Some(ScalarKind::Bool), _) if self.declassified.contains(&handle) => {}
                        (Some(ScalarKind::Bool), _) => self.leak(Kind::Select, handle),
                        (Some(ScalarKind::Uint | ScalarKind::Sint | ScalarKind::Float), _) => {
                            let float = from == Some(ScalarKind::Float) || *kind == ScalarKind::Float;
                            self.arithmetic(handle, secret, float);
                        }
                        (Some(ScalarKind::AbstractInt | ScalarKind::AbstractFloat) | None, _) => {
                            self.leak(Kind::Unproven, handle);
                        }
                    }
                }
                secret
            }
            // Their statements set these, and they are never emitted.
            E::CallResult(_)
            | E::AtomicResult { .. }
            | E::WorkGroupUniformLoadResult { .. }
            | E::SubgroupBallotResult
            | E::SubgroupOperationResult { .. }
            // No shader of ours has images, rays, derivatives or cooperative matrices.
            | E::ImageSample { .. }
            | E::ImageLoad { .. }
            | E::ImageQuery { .. }
            | E::Derivative { .. }
            | E::RayQueryVertexPositions { .. }
            | E::RayQueryProceedResult
            | E::RayQueryGetIntersection { .. }
            | E::CooperativeLoad { .. }
            | E::CooperativeMultiplyAdd { .. } => {
                self.leak(Kind::Unproven, handle);
                true
            }
        };
        Value::of(secret)
    }

    fn binary(
        &mut self,
        handle: Handle<Expression>,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> bool {
        use BinaryOperator as B;
        let by_secret = self.secret(right);
        let secret = self.secret(left) | by_secret;
        match op {
            // Integer products too: docs/kernels.md says why.
            B::Add
            | B::Subtract
            | B::Multiply
            | B::Equal
            | B::NotEqual
            | B::Less
            | B::LessEqual
            | B::Greater
            | B::GreaterEqual => self.arithmetic(handle, secret, self.is_float(left) || self.is_float(right)),
            B::And | B::ExclusiveOr | B::InclusiveOr => {}
            B::Divide | B::Modulo => {
                if secret {
                    self.leak(Kind::Division, handle);
                }
            }
            B::ShiftLeft | B::ShiftRight => {
                if by_secret {
                    self.leak(Kind::ShiftAmount, handle);
                }
            }
            // naga makes an `if` of `&&` and `||`; should it once not, they stop short all the same.
            B::LogicalAnd | B::LogicalOr => {
                if secret {
                    self.leak(Kind::Branch, handle);
                }
            }
        }
        secret
    }

    fn math(&mut self, handle: Handle<Expression>, fun: MathFunction, arguments: &[Handle<Expression>]) -> bool {
        use MathFunction as M;
        let secrets: Vec<bool> = arguments.iter().map(|&argument| self.secret(argument)).collect();
        let secret = secrets.contains(&true);
        let float = arguments.iter().any(|&argument| self.is_float(argument));
        match fun {
            M::Abs | M::Min | M::Max | M::Clamp | M::Dot => self.arithmetic(handle, secret, float),
            M::Dot4I8Packed
            | M::Dot4U8Packed
            | M::CountOneBits
            | M::ReverseBits
            | M::Pack4xI8
            | M::Pack4xU8
            | M::Pack4xI8Clamp
            | M::Pack4xU8Clamp
            | M::Unpack4xI8
            | M::Unpack4xU8 => {}
            // The last two arguments say from which bit on, and how many.
            M::ExtractBits | M::InsertBits => {
                if secrets[secrets.len() - 2..].contains(&true) {
                    self.leak(Kind::ShiftAmount, handle);
                }
            }
            M::Saturate
            | M::Ceil
            | M::Floor
            | M::Round
            | M::Trunc
            | M::Fma
            | M::QuantizeToF16
            | M::Pack4x8snorm
            | M::Pack4x8unorm
            | M::Pack2x16snorm
            | M::Pack2x16unorm
            | M::Pack2x16float
            | M::Unpack4x8snorm
            | M::Unpack4x8unorm
            | M::Unpack2x16snorm
            | M::Unpack2x16unorm
            | M::Unpack2x16float => self.arithmetic(handle, secret, true),
            // Some of these are loops or branches on some devices; none is needed.
            M::Cos
            | M::Cosh
            | M::Sin
            | M::Sinh
            | M::Tan
            | M::Tanh
            | M::Acos
            | M::Asin
            | M::Atan
            | M::Atan2
            | M::Asinh
            | M::Acosh
            | M::Atanh
            | M::Radians
            | M::Degrees
            | M::Fract
            | M::Modf
            | M::Frexp
            | M::Ldexp
            | M::Exp
            | M::Exp2
            | M::Log
            | M::Log2
            | M::Pow
            | M::Outer
            | M::Cross
            | M::Distance
            | M::Length
            | M::Normalize
            | M::FaceForward
            | M::Reflect
            | M::Refract
            | M::Sign
            | M::Mix
            | M::Step
            | M::SmoothStep
            | M::Sqrt
            | M::InverseSqrt
            | M::Inverse
            | M::Transpose
            | M::Determinant
            | M::CountTrailingZeros
            | M::CountLeadingZeros
            | M::FirstTrailingBit
            | M::FirstLeadingBit => self.unproven(handle, secret),
        }
        secret
    }

    /// An operation that takes the same time whatever its operands, on floats only as far as the shader may use them.
    pub(crate) fn arithmetic(&mut self, handle: Handle<Expression>, secret: bool, float: bool) {
        if secret && float && self.pass.subject.floats == Floats::Forbidden {
            self.leak(Kind::Float, handle);
        }
    }

    fn unproven(&mut self, handle: Handle<Expression>, secret: bool) {
        if secret {
            self.leak(Kind::Unproven, handle);
        }
    }

    /// Whether an expression is a truth value made a number: 0 or 1, by its form and type.
    pub(crate) fn is_one_bit(&self, handle: Handle<Expression>) -> bool {
        match self.function.expressions[handle] {
            Expression::As { expr, kind: ScalarKind::Uint, convert: Some(_) } => {
                matches!(self.inner(expr), TypeInner::Scalar(Scalar::BOOL))
            }
            _ => false,
        }
    }

    pub(crate) fn is_float(&self, handle: Handle<Expression>) -> bool {
        self.kind(handle) == Some(ScalarKind::Float)
    }

    fn kind(&self, handle: Handle<Expression>) -> Option<ScalarKind> {
        self.inner(handle).scalar_kind()
    }

    fn inner(&self, handle: Handle<Expression>) -> &TypeInner {
        self.info[handle].ty.inner_with(&self.pass.module.types)
    }
}

/// Whether a function is `fn(bit: u32) -> u32 { return bit; }`: whoever calls it hides nothing in it.
pub(crate) fn hands_on_its_argument(function: &Function) -> bool {
    function.arguments.len() == 1
        && matches!(function.body.iter().as_slice(), [Statement::Return { value: Some(value) }]
            if matches!(function.expressions[*value], Expression::FunctionArgument(0)))
}
