/// Weights of one to four bits: codes in bit planes, with a float16 scale and minimum for each group of columns of a row.
public struct BitPlanes: Sendable, Equatable {
    public let bits: Int
    /// Columns that share a scale and a minimum, which add 32 / `groupColumns` bits to a weight.
    public let groupColumns: Int

    /// Bits that there are kernels for.
    public static let bitCounts = 1...4
    /// Of which only multiples of 32 are possible.
    public static let groupColumnCounts = 32...4096

    /// Nil for what no kernel has.
    public init?(bits: Int, groupColumns: Int) {
        guard Self.bitCounts.contains(bits), Self.isGroup(groupColumns) else { return nil }
        (self.bits, self.groupColumns) = (bits, groupColumns)
    }

    /// Whether so many columns can share a scale and a minimum.
    public static func isGroup(_ columns: Int) -> Bool {
        groupColumnCounts.contains(columns) && columns % WeightType.blockColumns == 0
    }

    /// The same bits in groups that do not cross the borders of segments: their largest common divisor. A node that holds
    /// one segment then needs nothing of another.
    public func fitting(segmentColumns: Int?) -> BitPlanes {
        guard let segmentColumns else { return self }
        var (group, rest) = (groupColumns, segmentColumns)
        while rest > 0 { (group, rest) = (rest, group % rest) }
        // Both are multiples of 32, so their divisor is one too.
        return BitPlanes(bits: bits, groupColumns: group) ?? self
    }

    /// How they lie in tiles.
    public var layout: TileLayout {
        switch bits {
        case 1: .b1
        case 2: .b2
        case 3: .b3
        default: .b4
        }
    }
}

/// What quantising has cost, in sums over the weights. Losses of several matrices add up.
public struct QuantisationLoss: Sendable, Equatable {
    public var squaredError: Double
    public var squaredWeights: Double

    public init(squaredError: Double = 0, squaredWeights: Double = 0) {
        (self.squaredError, self.squaredWeights) = (squaredError, squaredWeights)
    }

    /// The root mean square of the errors, relative to that of the weights; 0 if all weights are.
    public var relative: Double { squaredWeights > 0 ? (squaredError / squaredWeights).squareRoot() : 0 }

    public static func += (left: inout QuantisationLoss, right: QuantisationLoss) {
        left.squaredError += right.squaredError
        left.squaredWeights += right.squaredWeights
    }
}
