/** Short and common: one or two tokens each in the vocabularies of BERT's family. */
const WORDS = (
  "a the one two some every old young small large red green blue white black bright dark quiet loud warm cold wet dry new " +
  "cat dog horse bird child woman man boy girl farmer doctor teacher driver player singer painter soldier king friend crowd " +
  "walks runs sleeps sits stands plays eats drinks reads writes sings jumps waits looks works talks rides flies swims falls " +
  "on in under over near behind beside above below through across around with without before after between against along by " +
  "house street river sea beach mountain forest field garden kitchen school station bridge window table chair door road train car " +
  "and but while because when until or so yet than slowly quickly often never always again today tonight yesterday morning evening"
).split(" ");

/** As captions and questions are; some 6 to 20 tokens. */
const [FEWEST_WORDS, MOST_WORDS] = [5, 18];

/**
 * Texts for measuring, without end. Which words they have is drawn at random, so that no cache has seen them: even the shortest are one of
 * ten thousand million.
 * @param random a number from 0 to less than 1
 */
export function* benchTexts(random: () => number = Math.random): Generator<string, never> {
  for (;;) {
    const count = FEWEST_WORDS + Math.floor(random() * (MOST_WORDS - FEWEST_WORDS + 1));
    yield Array.from({ length: count }, () => WORDS[Math.floor(random() * WORDS.length)]).join(" ");
  }
}
