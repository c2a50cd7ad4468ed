public import ArgumentParser
public import Kernels

/// `--ternary-layout`, `--kernel` and `--prefetch`, for programs that hold weights.
public struct KernelOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("ternary-layout"),
        help: "How ternary weights lie in memory. All give the same answers; automatic takes the fastest.")
    private var layoutChoice = Choice<TernaryLayout>.automatic
    @Option(
        name: .customLong("kernel"),
        help: """
            How products with one row of activations are computed, where the layout leaves a choice. Both give the same \
            answers; automatic takes the faster.
            """)
    private var kernelChoice = Choice<MatrixKernel>.automatic
    @Option(
        name: .customLong("prefetch"),
        help: """
            How these products ask for weights in advance: by the processor alone, far ahead, or near as well. All give the \
            same answers; automatic takes the fastest.
            """)
    private var prefetchChoice = Choice<Prefetch>.automatic

    public init() {}

    /// Nil leaves it to the stage.
    public var layout: TernaryLayout? { layoutChoice.value }
    /// Nil leaves it to the stage.
    public var kernel: MatrixKernel? { kernelChoice.value }
    /// Nil leaves it to the stage.
    public var prefetch: Prefetch? { prefetchChoice.value }

    private enum Choice<Value: RawRepresentable & CaseIterable & Sendable>: ExpressibleByArgument, Sendable
    where Value.RawValue == String {
        case automatic
        case fixed(Value)

        /// Nil for `automatic`.
        var value: Value? {
            switch self {
            case .automatic: nil
            case .fixed(let value): value
            }
        }

        init?(argument: String) {
            if argument == "automatic" {
                self = .automatic
            } else if let value = Value(rawValue: argument) {
                self = .fixed(value)
            } else {
                return nil
            }
        }

        static var allValueStrings: [String] { ["automatic"] + Value.allCases.map(\.rawValue) }

        var defaultValueDescription: String { "automatic" }
    }
}
