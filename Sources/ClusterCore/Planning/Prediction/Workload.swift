/// What a step brings to a stage. Rows may be fractions where streams are spread over several steps.
struct Workload {
    var rows: Double
    /// Sequences that these rows belong to: so often are keys and values read.
    var sequences: Double
    /// Positions that a row attends to, on average.
    var context: Double
    /// Rows that the head makes logits of.
    var outputRows: Double

    /// A token of each of so many streams.
    static func decode(streams: Double, context: Int) -> Workload {
        Workload(rows: streams, sequences: streams, context: Double(max(context, 1)), outputRows: streams)
    }

    /// A chunk of one prompt; the head sees the last row of the last chunk.
    static func prefill(_ positions: Range<Int>, isLast: Bool) -> Workload {
        Workload(
            rows: Double(positions.count), sequences: 1,
            context: Double(positions.lowerBound) + Double(positions.count + 1) / 2, outputRows: isLast ? 1 : 0)
    }
}

/// How long a stage works on a step.
struct StageTiming {
    /// Reading and multiplying the weights of each kind of layer, with attention and what the layer costs besides.
    var layerSeconds: [Double]
    /// What ranks wait for each other's vectors in a layer, beyond their own work.
    var layerSynchronisationSeconds: Double
    /// What a step costs besides.
    var stepSeconds: Double
    /// The head's weights, on the last stage.
    var headSeconds: Double
    /// What ranks exchange to choose a token.
    var headSynchronisationSeconds: Double
}
