/// All that a plan for a running cluster is made from, as `GET /v1/ryz/measurements` gives it.
public struct PlanningInput: Codable, Sendable, Equatable {
    public var measurements: ClusterMeasurements
    /// What is not measured that a plan needs, each with the remedy; empty if nothing is missing.
    public var missing: [String]
    /// The model that is served; nil if its costs are not known.
    public var model: ModelCosts?
    /// Longest sequence, in tokens.
    public var contextLength: Int
    /// KV cache of every stage, in tokens over all sequences.
    public var keyValueTokenCapacity: Int
    public var maximumStepRowCount: Int
    /// What the cluster's settings demand.
    public var constraints: PlanConstraints

    public init(
        measurements: ClusterMeasurements, missing: [String], model: ModelCosts?, contextLength: Int,
        keyValueTokenCapacity: Int, maximumStepRowCount: Int, constraints: PlanConstraints
    ) {
        self.measurements = measurements
        self.missing = missing
        self.model = model
        self.contextLength = contextLength
        self.keyValueTokenCapacity = keyValueTokenCapacity
        self.maximumStepRowCount = maximumStepRowCount
        self.constraints = constraints
    }

    private enum CodingKeys: String, CodingKey {
        case measurements, missing, model, constraints
        case contextLength = "context_length"
        case keyValueTokenCapacity = "kv_tokens"
        case maximumStepRowCount = "step_rows"
    }
}
