/// Why a template could not be compiled or rendered. Lines count from 1 in the template's source.
public enum TemplateError: Error, Equatable, Sendable {
    /// The template itself refused its input by calling `raise_exception`; the message is the template's own, verbatim.
    case raised(String)
    /// The source is not a template that this module understands.
    case syntax(line: Int, problem: String)
    /// An expression could not be evaluated with the values given.
    case evaluation(line: Int, problem: String)
    /// One of `TemplateLimits` was reached.
    case limit(line: Int, problem: String)
    /// Text that should be JSON is not; the offset counts bytes from 0.
    case json(offset: Int, problem: String)
}

extension TemplateError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .raised(let message): message
        case .syntax(let line, let problem): "chat template, line \(line): \(problem)"
        case .evaluation(let line, let problem): "chat template, line \(line): \(problem)"
        case .limit(let line, let problem): "chat template, line \(line): \(problem)"
        case .json(let offset, let problem): "JSON, byte \(offset): \(problem)"
        }
    }
}
