/// Reads how positions turn queries and keys from a `config.json`.
enum RotaryFields {
    /// Throws `.unsupported` for a scaling that this engine does not compute; reports all else to `fields`.
    static func embedding(
        _ fields: inout ConfigurationFields, headDimension: Int, defaultBase: Double
    ) throws(CheckpointError) -> RotaryEmbedding {
        var base = fields.number("rope_theta", above: 1, orElse: defaultBase)
        var scaling = RotaryEmbedding.Scaling.none
        for key in ["rope_scaling", "rope_parameters"] {
            guard var part = fields.fields(key) else { continue }
            base = part.number("rope_theta", above: 1, orElse: base)
            if case .none = scaling {
                scaling = try Self.scaling(&part, base: base, rotatedDimension: headDimension, fields)
            }
            fields.adopt(part)
        }
        return RotaryEmbedding(
            base: Float(base), rotatedDimension: headDimension, scaling: scaling, pairing: .halves)
    }

    private static func scaling(
        _ part: inout ConfigurationFields, base: Double, rotatedDimension: Int, _ whole: ConfigurationFields
    ) throws(CheckpointError) -> RotaryEmbedding.Scaling {
        // Older releases called the key `type`.
        let type = part.string("rope_type") ?? part.string("type") ?? "default"
        switch type {
        case "default": return .none
        case "linear":
            let factor = part.number("factor", above: 0)
            return factor == 1 ? .none : .linear(factor: Float(factor))
        case "llama3":
            let parameters = LlamaThreeScaling(
                factor: part.number("factor", above: 0),
                lowFrequencyFactor: part.number("low_freq_factor", above: 0),
                highFrequencyFactor: part.number("high_freq_factor", above: 0),
                originalContextLength: part.number("original_max_position_embeddings", above: 0))
            guard parameters.highFrequencyFactor > parameters.lowFrequencyFactor else {
                if part.problems.isEmpty { part.report("high_freq_factor", "is not above low_freq_factor") }
                return .none
            }
            return .frequencyFactors(parameters.frequencyFactors(base: base, rotatedDimension: rotatedDimension))
        default:
            throw part.unsupported(
                "rope_type", "RoPE scaling \(type) is not supported; supported: default, linear, llama3",
                "choose a model with one of these")
        }
    }
}

/// Llama 3's scaling: slow pairs are slowed down by the factor, quick ones are left alone, and those in between are
/// blended.
///
/// Source: `_compute_llama3_parameters` of transformers' `modeling_rope_utils`; Dubey et al., The Llama 3 Herd of
/// Models, section 3.4.2.
struct LlamaThreeScaling {
    var factor: Double
    var lowFrequencyFactor: Double
    var highFrequencyFactor: Double
    var originalContextLength: Double

    /// What the angle of each pair is divided by: rotatedDimension ⁄ 2 factors.
    ///
    /// Only additions, products and quotients, which are the same on every machine: logarithms and powers of a C library
    /// are not.
    func frequencyFactors(base: Double, rotatedDimension: Int) -> [Float] {
        let pairCount = rotatedDimension / 2
        let step = Self.root(of: base, degree: pairCount)
        let longest = originalContextLength / lowFrequencyFactor
        let shortest = originalContextLength / highFrequencyFactor
        var wavelength = 2 * Double.pi
        var factors: [Float] = []
        for _ in 0..<pairCount {
            if wavelength > longest {
                factors.append(Float(factor))
            } else if wavelength < shortest {
                factors.append(1)
            } else {
                let share =
                    (originalContextLength / wavelength - lowFrequencyFactor)
                    / (highFrequencyFactor - lowFrequencyFactor)
                factors.append(Float(1 / ((1 - share) / factor + share)))
            }
            wavelength *= step
        }
        return factors
    }

    /// The number above 1 whose power is `value`, by bisection to the last bit.
    private static func root(of value: Double, degree: Int) -> Double {
        var low = 1.0
        var high = value
        while true {
            let middle = low + (high - low) / 2
            guard middle > low, middle < high else { return low }
            var power = 1.0
            for _ in 0..<degree where power <= value { power *= middle }
            if power <= value { low = middle } else { high = middle }
        }
    }
}
