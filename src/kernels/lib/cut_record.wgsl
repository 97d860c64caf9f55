// What is known once `stage` of the search is over; four stages, of eight bits each, find a key.
struct Cut {
  key: u32,          // the digits found so far, then zeros
  last_id: u32,      // of the tokens with this key, those up to here are kept; set at the end
  remaining: vec2u,  // weight that the tokens inside have to contribute
  inside: vec2u,     // weight of all tokens that share the digits
}
