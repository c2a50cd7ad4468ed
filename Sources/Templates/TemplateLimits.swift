/// What one template may cost. Every limit ends in `TemplateError.limit`, never in a crash or a hang.
public struct TemplateLimits: Sendable, Equatable {
    /// Bytes of template source.
    public var sourceByteCount: Int
    /// Levels of blocks, brackets and prefix operators inside each other in the source.
    public var syntaxDepth: Int
    /// Levels of expressions, blocks and macro calls inside each other while rendering. The default needs less than 2 MiB
    /// of stack in a debug build, 512 KiB in a release build.
    public var evaluationDepth: Int
    /// Levels of lists and mappings inside each other.
    public var valueDepth: Int
    /// Bytes of rendered text.
    public var outputByteCount: Int
    /// Work in steps: a step is one evaluation, one element of a list made or visited, or 32 bytes of text made or searched.
    /// It bounds memory, too: no step allocates more than about a hundred bytes.
    public var stepCount: Int

    /// Limits that real chat templates stay far below, with conversations of millions of characters.
    public static let standard = TemplateLimits()

    public init(
        sourceByteCount: Int = 1 << 20, syntaxDepth: Int = 100, evaluationDepth: Int = 400, valueDepth: Int = 100,
        outputByteCount: Int = 32 << 20, stepCount: Int = 10_000_000
    ) {
        self.sourceByteCount = sourceByteCount
        self.syntaxDepth = syntaxDepth
        self.evaluationDepth = evaluationDepth
        self.valueDepth = valueDepth
        self.outputByteCount = outputByteCount
        self.stepCount = stepCount
    }
}
