/// How exactly the language-model head is kept. It changes the bits of the answers, so it is settled for a whole cluster.
public enum HeadPrecision: String, CaseIterable, Sendable {
    /// In eight bits where reading it is a good part of the work: a floating-point head of a ternary model from 32 MiB on.
    case automatic
    /// Floating-point heads in eight bits, with a scale for each row; others as stored.
    case eightBit = "8bit"
    /// As the file has it.
    case stored
}
