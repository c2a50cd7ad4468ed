/// A compiled chat template: Jinja2 as model files use it, with `trim_blocks` and `lstrip_blocks` on, loop controls, and
/// `raise_exception` and `strftime_now` as globals. Compile once, render as often as needed, from any thread.
public struct ChatTemplate: Sendable {
    /// The template as it was given.
    public let source: String
    public let limits: TemplateLimits
    private let statements: [Statement]

    /// - Throws: `TemplateError.syntax`, or `.limit` if the source is too long or nested too deep.
    public init(source: String, limits: TemplateLimits = .standard) throws(TemplateError) {
        self.source = source
        self.limits = limits
        statements = try Parser.statements(of: source, limits: limits)
    }

    /// Renders the template with variables.
    ///
    /// - Parameters:
    ///   - context: the variables by name; their nesting must stay within `limits.valueDepth`.
    ///   - secondsSince1970: the time that `strftime_now` formats, in UTC; nil makes that function an error.
    /// - Throws: `TemplateError.raised` if the template refuses its input, else `.evaluation` or `.limit`.
    public func render(_ context: TemplateMapping, secondsSince1970: Int64? = nil) throws(TemplateError) -> String {
        var renderer = Renderer(context: context, limits: limits, secondsSince1970: secondsSince1970)
        guard context.depth <= limits.valueDepth + 1 else {
            throw .limit(line: 1, problem: "the variables are nested more than \(limits.valueDepth) deep; flatten them")
        }
        return try renderer.renderTemplate(statements)
    }
}
