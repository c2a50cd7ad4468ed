import Templates

/// Variables that the language tests use, as a request would bring them.
let sampleContext = """
    {"s": "Hello, Wörld 🙂 <b>\\n second  line\\t", "l": [3, 1, 2, 1],
     "d": {"b": 1, "a": {"x": [1, 2, {"y": "z"}]}, "items": "I"}, "n": null, "t": true, "f": 1.5, "e": "",
     "u": [{"name": "Bob", "age": 3, "tags": ["x", "y"]}, {"name": "alice", "age": 1, "tags": []},
           {"name": "Carl", "age": 2}],
     "big": 12345678901234567890123, "html": "<a href=\\"x\\">'&'</a>", "ws": "  \\n a b  c \\n\\n", "neg": -7,
     "words": "the quick brown fox jumps", "crlf": "a\\r\\nb\\rc\\n",
     "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}
    """

/// 11 February 2026, 01:02:03 UTC.
let sampleTime: Int64 = 1_770_771_723

/// Renders a template with the sample variables.
func render(_ source: String, limits: TemplateLimits = .standard) throws(TemplateError) -> String {
    let context = try TemplateValue(json: sampleContext).mappingValue ?? TemplateMapping()
    return try ChatTemplate(source: source, limits: limits).render(context, secondsSince1970: sampleTime)
}
