/** Made-up names of towns. */

/**
 * How a language forms names of places. In ASCII only: other letters would make a benchmark's run half as long again.
 */
export interface Tongue {
  /** 8 words that precede some of them. */
  readonly before: readonly string[]
  /** The name of a number from 0 to 2,047. */
  name(number: number): string
}

/** From 8 words before a name, 16 beginnings, 8 middles and 16 ends; `_` is a space and `-` alone is nothing. */
function tongue(before: string, first: string, middle: string, last: string): Tongue {
  const words = (list: string): string[] => list.split(' ').map((word) => (word === '-' ? '' : word.replace('_', ' ')))
  const [begin, inner, end] = [words(first), words(middle), words(last)]
  const names = new Array<string | undefined>(2_048).fill(undefined)
  return {
    before: words(before),
    name(number) {
      const known = names[number]
      if (known !== undefined) return known
      const name = [begin[number >>> 7], inner[(number >>> 4) & 7], end[number & 15]].join('')
      names[number] = name
      return name
    },
  }
}

export const german = tongue(
  'Bad_ Neu_ Alt_ Gross_ Klein_ Ober- Unter- Sankt_',
  'Eichen Linden Birken Rosen Wald Stein Berg Koenig Muehl Schoen Gruen Alten Lauter Heiden Wolfs Bruecken',
  '- - - - - er n s',
  'burg dorf heim hausen stadt feld bach tal berg kirchen rode brueck furt au see walde',
)
export const english = tongue(
  'New_ North_ South_ East_ West_ Upper_ Little_ Fort_',
  'Spring Oak Green River Clear Fair Stone Brook Maple Ash Wood Lake Mill Kings Cedar Hart',
  '- - - - er ing en s',
  'field ton ville wood ford port burgh ham land mouth dale view bridge haven stead ley',
)
export const spanish = tongue(
  'San_ Santa_ Villa_ Puerto_ El_ La_ Los_ Nuevo_',
  'Mar Val Cas Alb Cor Mont Sal Tor Car Guad Pal Zar Ler Bel Cuer Sev',
  'a e i o an en il or',
  'dero talba lejo mon nada rique gosa cia tena bella verde rroyo cion dora lona vega',
)
export const french = tongue(
  'Saint- Le_ La_ Mont_ Chatel- Vieux_ Grand_ Petit_',
  'Beau Clair Mar Chan Ver Lan Roche Bel Fon Char Mou Cour Vau Tre Par Bri',
  'e i a o en er ou ill',
  'ville court mont gny sac lieu nay fort sur teau bourg lac neuf vaux zac tin',
)
export const slavic = tongue(
  'Nowa_ Stara_ Velka_ Mala_ Bela_ Gorna_ Dolna_ Nova_',
  'Kras Nov Vol Zel Dobr Bel Mir Rad Star Grad Brez Lip Pod Jel Tarn Chelm',
  'o e a i no ino ov un',
  'grad sk vo wice nik ov dorf polje slav gorsk vice brod leka in cow sko',
)
export const asian = tongue(
  'Bei_ Nan_ Dong_ Xi_ Shin_ Kita_ Minami_ Hua_',
  'Chang Hang Guang Zheng Tai Kun Fuku Naga Yoko Saka Miya Shen Wu Ching Han Lan',
  '- - - - o i a ka',
  'zhou yang shan jing hai shima moto yama gawa ning cheng saki dong xing tou nan',
)
export const indian = tongue(
  'Navi_ New_ Old_ Sri_ Ram_ Chhota_ Bara_ Uttar_',
  'Jai Ram Nag Fate Sulta Hari Kal Luck Indr Bhub Mur Ali Shah Gop Vija Man',
  'a i u e an ra wa ya',
  'pur nagar bad garh gaon pattan ganj wala kota dhi palli konda ra halli vati khand',
)
export const african = tongue(
  'Port_ Kano_ Old_ New_ Umm_ Bir_ Ain_ Dar_',
  'Ba Ka Ma Nai Lu Za Mo Ki Oua Da Kin Abu Har Bu Lo Ny',
  'ga mba ro ri ndi sha ka du',
  'ra na ri si bo ku gou la za nga ja be dja wa ya mi',
)
