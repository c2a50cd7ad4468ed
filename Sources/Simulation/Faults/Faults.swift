/// How likely each fault is, from 0 (never) to 1.
///
/// What the number counts depends on the fault: `delay`, `loss`, `disconnection` and `corruption` strike with it each
/// message, `loading-failure` each load, `step-failure` each step on each rank, `clock-skew` each node, once; all others
/// begin with it in each second of virtual time.
public struct Faults: Sendable, Equatable {
    /// In the order of `Fault.allCases`.
    private var probabilities = [Double](repeating: 0, count: Fault.allCases.count)

    /// Nothing goes wrong.
    public static let none = Faults()

    /// Everything does, with the usual probabilities.
    public static let all = Faults(Fault.allCases)

    /// These go wrong, with the usual probabilities.
    public init(_ faults: [Fault] = []) {
        for fault in faults { self[fault] = fault.usualProbability }
    }

    public subscript(fault: Fault) -> Double {
        get { probabilities[fault.index] }
        set { probabilities[fault.index] = min(1, max(0, newValue)) }
    }

    /// Those that may happen, in order.
    public var active: [Fault] { Fault.allCases.filter { self[$0] > 0 } }

    /// Each of them so many times as likely.
    func scaled(by factor: Double) -> Faults {
        var scaled = self
        for fault in Fault.allCases where fault != .clockSkew { scaled[fault] = self[fault] * factor }
        return scaled
    }
}

extension Faults {
    /// Reads `all`, `none`, or a list such as `loss,crash,delay=0.1`, where a number takes the place of the usual
    /// probability.
    ///
    /// - Throws: a `FaultsProblem` that names the entry.
    public init(parsing text: String) throws(FaultsProblem) {
        switch text {
        case "all": self = .all
        case "none": self = .none
        default:
            self = .none
            for entry in text.split(separator: ",", omittingEmptySubsequences: false) {
                let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard let fault = Fault(rawValue: String(parts[0])) else {
                    let names = Fault.allCases.map(\.rawValue).joined(separator: ", ")
                    throw FaultsProblem("\(parts[0]) is no fault; use all, none, or some of \(names)")
                }
                self[fault] = fault.usualProbability
                guard parts.count > 1 else { continue }
                guard let probability = Double(parts[1]), (0...1).contains(probability) else {
                    throw FaultsProblem("\(entry): give a probability from 0 to 1")
                }
                self[fault] = probability
            }
        }
    }

    /// What `init(parsing:)` reads as these faults.
    public var text: String {
        if self == .none { return "none" }
        if self == .all { return "all" }
        return active.map { fault in
            self[fault] == fault.usualProbability ? fault.rawValue : "\(fault.rawValue)=\(self[fault])"
        }.joined(separator: ",")
    }
}

/// Why a list of faults could not be read.
public struct FaultsProblem: Error, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

extension Fault {
    var index: Int { Fault.allCases.firstIndex(of: self) ?? 0 }
}
