#include "core/calibration/calibration_text.h"

namespace rpt::calibration {
namespace {

// The beginning of chapter XXIII of "The Boy Inventors' Flying Ship" by Richard Bonner, New York
// 1913. In the public domain in the United States (demo/README.md).
constexpr std::string_view kProse = R"text(CHAPTER XXIII.

THE CLEVERNESS OF THE CAPTAIN.


In the meantime Captain Sprowl had obtained the loan of their
handkerchiefs from Mr. Chadwick and Dick Donovan. He knotted his own
ample bandana to the others and then saturated them with liquid from
the professor’s bottle. This done, he lowered the dripping, reeking
string of handkerchiefs to Jack.

“Tie this around the trunk of the tree,” he said. “When the ants hit
it, it’ll keep ‘em back. It was like this that they used to put wool
round trees to keep the caterpillars off, back home.”

“Do you think it will work?” asked Jack anxiously, for the situation
was becoming critical. It seemed almost unthinkable that they could be
in actual peril of their lives from creatures not much bigger than
a good-sized bluebottle fly. And yet a jaguar would have been a less
dangerous foe than these myriads of tiny creatures, with ten times a
jaguar’s ferocity in their minute make-ups.

“Well, boy, if it don’t work, it’s all up with us,” declared the
captain solemnly.

Aided by the professor, who at once saw the utility of the contrivance,
Jack managed to tie the bandage of handkerchiefs around the tree-trunk.

“When it gets dry, douse it with some more of this stuff,” said the
captain, handing down the bottle of chemicals.

With an eagerness that may be imagined Jack and the professor watched
the first ants that swarmed up the barricade of handkerchiefs. They
dropped like files of soldiers storming a fortress wall that bristles
with machine guns. Thousands and thousands of them fell from the tree
as they encountered the poison-soaked bandage; but still the swelling
ranks behind pushed the vanguard on.

From time to time Jack moistened the bandage afresh, and after what
appeared to be an eternity of waiting the ants began to slacken in
their attack. By slow degrees they retreated till only the masses on
the ground were left.

“Scatter some of the stuff among ‘em!” called Captain Sprowl.

Jack spattered the rest of the contents of the bottle over the still
swarming myriads on the ground. Wherever it fell an immense patch of
dead ants instantly appeared. But at last it was exhausted. Luckily
the ants appeared to be reforming for another march, and yet it was a
long time before it was deemed safe to descend. When they did so, a
strange sight met their eyes. They had been imprisoned in the tree for
not much more than two hours. Yet in that space of time the ants had
literally cleaned the bones of the dead snake and wrought havoc with
the carcasses of the pigs.

“Lucky thing you had that bottle along, professor,” remarked Captain
Sprowl, soberly. He added nothing more. He did not need to. They could
all supply the alternative for themselves.

A hasty return was made to the _Wondership_ where they found everything
as they had left it. A hurried meal was then eaten, and within half an
hour they were once more on the wing.

All the afternoon they maintained steady flight toward the westward,
and that evening beheld a magnificent sunset. Great masses of gold,
purple and scarlet cloud were piled up like dream palaces in the west.
Beneath this _Fata Morgana_ of surpassing brilliancy, lay a line of
deeper purple, like the crest of an advancing billow.

“See that?” asked Mr. Chadwick, pointing out this darker line.

They all nodded.

“Well, take good notice of it, for that is our first sight of the
Andes,” responded Jack’s father.

The words held a thrill. Somewhere in the foothills of that vast and
historic range, if the professor’s theories were not all at fault,
roamed a beast that had somehow survived the march of the ages.
Over toward that sunset, too, had they but known it, strange, wild
adventures awaited them. But no idea of what the future held was in the
minds of Jack and Tom as they tramped off in search of wood for the
evening fire, after the machine had been brought to earth in a stretch
of rocky ground, bordered by a river on one side. On the other fell the
sombre shades of the melancholy forests.

The boys made for the edge of the river where patches of small trees
grew. Here they were more likely to find the firewood for which they
were searching than amongst the towering forest giants.

The stream was a melancholy, slow-flowing, muddy water course. On
the opposite bank grew mighty trees with a tangle of jungle about
their roots, and with long pendant creepers trailing down into the
chocolate-colored river. In the evening air a dank, unwholesome smell
pervaded the atmosphere. Some gray herons flapped heavily up from the
muddy banks as they approached, and an alligator slipped off a log and
glided into the water.

What was their surprise, then, in this desolate spot, which they
had good reason to suppose they were the first to invade since the
beginning of time, when on the bank they perceived a large canoe. It
was a clumsily-built dug-out of unusual size, and as the boys got
closer to it they soon saw that it was long since it had been used. One
side was rotted away and green slimy ooze, gendered by the rank mud,
had overgrown it from stem to stern.

Inside it was a big earthen jar, which might at one time have contained
water or food, more probably the latter. A broken paddle was near it
and another object which the boys did not investigate just then. For
something else had attracted their attention.

This latter was the sight of several bones, undoubtedly human, that lay
by the side of the mouldering canoe. Evidently the bones were all that
remained of the navigators of the ill-fated craft; but whether they had
met their death at the hands of a human enemy, or had fallen prey to a
jaguar or alligator the boys were, of course, unable to decide.

“Ugh! This place gives me the shudders,” exclaimed Jack, turning away.
“Let’s get busy over that wood and go back.”

“Right you are; but let’s have a look at what else there is in the
canoe first,” rejoined Tom.

“That’s so. We might as well look. After all, it may afford us a clew
to the fate of the poor devils whose bones lie yonder,” replied Jack.

The bottom of the canoe was inch deep in slimy ooze, and out of the
stuff the boys excavated a skin bag containing some hard objects and an
odd little figure of a squatting man, with a hideously deformed face,
fixed in a perpetual laugh. This little idol, for such unquestionably
the thing was, was about as ingenious a bit of hideousness as could
be imagined. It was not more than a foot high, and was wrought out of
greenish stone. It was carved in a squatting position with the legs
tucked under a fat body, tailor-fashion.

But it was the face, tiny as it was, that sent a chill through the
boys’ veins. There was something diabolical in that frozen laugh. It
was as if the miniature god was mocking all mankind with a grin of
bitter irony.

“Nice little thing to have about the house on the long winter
evenings,” chuckled Tom. “Cheer a fellow up when he felt blue, wouldn’t
it—not?”
)text";

}  // namespace

std::string_view calibration_prose() {
    return kProse;
}

}  // namespace rpt::calibration
