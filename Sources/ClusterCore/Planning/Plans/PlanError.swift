/// Why there is no plan.
public enum PlanError: Error, Equatable, Sendable {
    /// No node is available and allowed.
    case noNodes
    /// A value of the request, the measurements or the costs that nothing can be planned with.
    case invalid(String)
    /// A constraint that cannot be honoured, and why.
    case constraint(String)
    /// The model is too large for the nodes.
    case doesNotFit(MemoryShortage)
}

/// By how much memory is short, and what would help.
public struct MemoryShortage: Sendable, Equatable {
    /// Weights, KV cache and workspaces of the whole model, at the least.
    public var neededByteCount: UInt64
    /// Of all nodes that may have a part.
    public var availableByteCount: UInt64
    /// How many nodes these are.
    public var nodeCount: Int
    /// Of the needed bytes, those of the KV cache.
    public var keyValueByteCount: UInt64
    /// How many tokens of KV cache would fit; 0 if not even the weights do.
    public var fittingKeyValueTokenCount: Int

    /// By how much memory is short at the least; 0 if only the cut into layers and shares is in the way.
    public var shortByteCount: UInt64 {
        neededByteCount > availableByteCount ? neededByteCount - availableByteCount : 0
    }
}

extension PlanError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noNodes: "no node may have a part; make one available, or exclude fewer"
        case .invalid(let problem): problem
        case .constraint(let problem): problem
        case .doesNotFit(let shortage): shortage.description
        }
    }
}

extension MemoryShortage: CustomStringConvertible {
    public var description: String {
        let nodes = nodeCount == 1 ? "the node has" : "the \(nodeCount) nodes have"
        var text =
            "the model needs \(neededByteCount.gibibytes), of which \(keyValueByteCount.gibibytes) are KV cache; "
        text += "\(nodes) \(availableByteCount.gibibytes) free"
        if shortByteCount > 0 {
            text += ": \(shortByteCount.gibibytes) are missing"
        } else {
            text += " in all, but no cut into layers and shares fits each of them"
        }
        text += "; add a node with \(max(shortByteCount, 1 << 28).gibibytes) or more"
        if fittingKeyValueTokenCount > 0 {
            text += ", or lower the KV cache to \(fittingKeyValueTokenCount) tokens"
        } else {
            text += ", or take a smaller model: its weights alone do not fit"
        }
        return text
    }
}

extension UInt64 {
    /// Such as `1.53 GiB`, rounded up.
    var gibibytes: String {
        let hundredths = (self / 1024 * 100 + (1 << 20) - 1) >> 20
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) GiB"
    }
}
