public import ArgumentParser
public import Kernels

/// `--ternary-layout`, for programs that hold weights.
public struct TernaryLayoutOption: ParsableArguments, Sendable {
    @Option(
        name: .customLong("ternary-layout"),
        help: "How ternary weights lie in memory. All give the same answers; automatic takes what is usually fastest.")
    private var choice = Choice.automatic

    public init() {}

    /// Nil leaves it to the stage.
    public var layout: TernaryLayout? {
        switch choice {
        case .automatic: nil
        case .fixed(let layout): layout
        }
    }

    private enum Choice: ExpressibleByArgument, Sendable {
        case automatic
        case fixed(TernaryLayout)

        init?(argument: String) {
            if argument == "automatic" {
                self = .automatic
            } else if let layout = TernaryLayout(rawValue: argument) {
                self = .fixed(layout)
            } else {
                return nil
            }
        }

        static var allValueStrings: [String] { ["automatic"] + TernaryLayout.allCases.map(\.rawValue) }

        var defaultValueDescription: String { "automatic" }
    }
}
